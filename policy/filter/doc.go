// Package filter decides about packets: an immutable Set of rules for one node, made from a Spec and swapped by pointer.
//
// A Set knows two sides. Local are the node's own addresses and the prefixes that it routes; Remote is everything else. Each address
// of a side belongs to a class: addresses that behave alike. For each pair of a local and a remote class and each direction there is
// one list of services, protocol and port in one number (see acl.Service), sorted and disjoint. A packet is judged in three steps:
//
//	source and destination -> class    exact map for overlay addresses, longest prefix for routed ones
//	classes, direction -> list         one load
//	list, service -> allowed or not    binary search
//
// The tunnel has proved that an overlay address is the peer's, so that its class is the peer's. What comes from behind a router has
// the class of the route, never the router's.
//
// In and Out judge a packet as one that begins something. They keep no state: answers, and what belongs to a connection that was
// allowed, are known to internal/node/flow, which asks a Set once a flow and again when the Set's generation has changed. Nothing is
// allocated, and any number of goroutines may ask at once.
//
// # What cannot be judged
//
// Parse takes a packet apart as far as a decision needs, and refuses what it does not understand:
//
//   - lengths that do not fit; a header cut off; more than 8 extension headers;
//   - source routing: IPv4 options LSRR and SSRR (RFC 7126, sections 4.3 and 4.4), IPv6 routing header type 0 (RFC 5095);
//   - a first fragment that does not hold the whole transport header (RFC 1858, section 3; RFC 7112, section 5), and a fragment of TCP
//     that would be written over the flags (offset 1: RFC 1858, section 4).
//
// A later fragment has no ports. A Set allows it only where it allows every port of the protocol; elsewhere the answer is
// LaterFragment, and the flow table decides, which remembers the first fragment. A fragmented packet whose only fragment is itself
// (RFC 6946) is a whole packet.
package filter
