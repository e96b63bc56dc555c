// Package natmodel is a NAT box without a network: what a router does to UDP datagrams, as a pure core. Simulations put it between
// their hosts, and ask a reference model of what must be reachable.
//
// The terms are those of RFC 4787: mapping is which outside port an inside socket gets, filtering is who outside may answer it. A
// mapping lives while datagrams cross it, out or in, and Lifetime after the last one.
//
// A box with OpenInput behaves like a plain Linux router that answers unsolicited datagrams itself: a stranger's datagram that comes
// before our own has been sent takes the pair of outside port and remote, and our own then leaves by another port. That is what
// makes hole punching fail when one side begins too early.
package natmodel
