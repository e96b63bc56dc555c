// Package xfrm has the Linux kernel seal and open the ESP packets of a tunnel: security associations, policies, routes and an interface, by
// netlink. Elsewhere, and where the kernel has no ESP or no XFRM interfaces, Open says so.
//
// # What is made
//
// A Device is one XFRM interface with a number of its own (if_id), which everything else bears: so it is told from what other programs have
// made, and what a killed process has left is found and removed by the next that opens a Device of the same name. The kernel sends to the
// interface what routes lead there, and gives up what it has opened as if it came from there. Nothing of anybody else's is looked at or touched.
//
//	association   one direction of a pair: SPI, key, outer addresses and ports, last number, replay window
//	policy in     what the peer may send: from its addresses to ours, opened by an association of its, nothing else
//	policy out    what is sealed for the peer: the same turned round, and by which association
//	route         leads packets for the peer's addresses to the interface, which would go to the TUN device otherwise
//
// Between associations and policies that belong together stands the peer's number (reqid). What is sealed bears the mark of the daemon's own packets, so that it
// leaves beside an exit as they do.
//
// # Numbers
//
// A number of ESP must never be used twice with one key, and never be accepted twice. So an association begins where its caller ended, and
// Remove tells where the kernel has ended: not by asking before, which would be too early, but from the kernel's own notice of the removal, which
// is made when the association can no longer be used.
package xfrm
