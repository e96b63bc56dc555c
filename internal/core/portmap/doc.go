// Package portmap asks the router for a port on its outside that leads to a UDP port of this machine, and looks after it: the Port
// Control Protocol (PCP, RFC 6887), NAT-PMP (RFC 6886) and, through jobs that its owner does, UPnP-IGD. It holds the bytes of the
// first two and a pure machine. A second Client asks for IPv6, by PCP alone: there is no port to be had, but a firewall lets in what comes
// to our address and port (RFC 6887, section 11).
//
// # What is asked
//
// Only the default gateway is asked, and only for our own UDP port. A Client looks for all three protocols at once, and makes one
// mapping by the best that there is: PCP, then NAT-PMP, then UPnP. PCP is asked to map straight away, because its answer may be
// there after one round trip; the others are only looked for, and get their turn when the better ones have declined, or have been
// silent for a while (patience). Two mappings of the same port through two protocols would be one entry in most routers, and releasing one
// would take the other with it.
//
// A question is sent at 0, 250 and 750 ms and given up at 1.75 s. RFC 6887 (section 8.1.1) would have the first repetition after
// 3 s; a gateway is one hop away and peers wait. If nothing works the Client rests and looks again: after
// half a minute, then twice as long each time, up to ten minutes.
//
// # What is kept
//
// A mapping is asked for two hours and renewed between 1/2 and 5/8 of what was granted, then at half of what is left (RFC 6887,
// section 11.2.1), never twice within 4 s. Every two minutes the router is asked for its epoch (PCP ANNOUNCE, NAT-PMP external
// address): one that has started anew has forgotten the mapping (RFC 6887, section 8.5; RFC 6886, section 3.6), and one that has another
// outside address says so. UPnP has no epoch: its mapping is simply made again every ten minutes. A mapping that cannot be renewed because
// the router declines is lost, and the search begins anew. On Close it is released. Mappings of less than ten seconds are none.
//
// # What is believed
//
// Answers count if they come from the gateway, port 5351, and match the question: nonce, protocol, port. An outside address that
// nobody can have there (loopback, multicast, link-local, another family, port 0) makes the answer void. A private or shared one (RFC 1918,
// RFC 6598) is told with Inner: there is another NAT outside of this one, and only its inhabitants can use the mapping. The gateway can
// still lie, and name somebody else's address: whoever hands it to peers hands it on as a candidate to be proven, no more.
package portmap
