// Package guide finds the ways to the nodes of one network, for one tunnel: it is the tunnel.Guide that speaks disco with peers, holds
// links to relays, asks STUN servers, agrees on preshared keys, and has core/path decide which way each peer's datagrams take.
//
// # Owners
//
// Everything here belongs to the tunnel's owner goroutine, which calls the Guide; other goroutines (the engine, those that dial
// relays) come in by GuideHost.Post. The cores decide: path.Finder which way, relayed.Links which relay, quantum.Machine which key. The
// Guide carries messages between them and the sockets.
//
// # A peer's life
//
// A peer of the map costs a few hundred bytes and an entry by which its datagrams are found. The first packet to it, or the first
// sealed message from it, derives the pair's keys (one X25519) and starts the search: a lane through the peer's home relay, candidates
// exchanged there, probes to each. The tunnel's handshake waits for the pair's preshared key and leaves by the best way of that
// moment, as a rule the relay.
package guide
