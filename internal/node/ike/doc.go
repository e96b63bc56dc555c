// Package ike is IKEv2 as the Keyer of package ipsec: core/ike decides, and this package puts its peers, paths and Child SAs into the words
// of tunnel and ESP.
//
// # Paths
//
// IKE wants to know between which addresses a message travels; a tunnel's peer has whatever way its path layer finds, a relay's too. So a
// peer that we know has one Path for its whole life, an address of the discard prefix (RFC 6666) that stands for it, and messages to that go
// where the peer is. A stranger has the address that its message came from, until it has proved who it is. NAT detection finds nothing then,
// and a peer that is another implementation finds a NAT: either way packets travel in UDP, which is all that we speak.
//
// Authentic messages and packets show where a peer is, whatever it says. A node of ours follows them as well, so that nothing need be said
// (Peer.Follows). Another implementation that knows MOBIKE follows nothing: it is told when our network changes, which Renew says.
//
// # Sessions
//
// There may be more than one session with a peer: while one takes another's place, when two have crossed, or when it has forgotten the first.
// core/ike decides which one stays. Here the newest counts, and when that ends the one before it, which is asked whether it lives.
//
// # Wishes
//
//	packets wait          a call, or with a peer that is up another Child SA
//	Due                   RekeyChild
//	Expired               DeleteChild
//	Silent                Probe: a peer that has lost its SAs is down after some tries, and is called when packets wait
//	Renew                 Move, and RekeyChild or a call: what there is may be dead
package ike
