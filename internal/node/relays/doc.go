// Package relays makes a node's connections to relays: it finds a way there, knows the relay by its certificate, registers, and carries frames both ways
// until it is told to hang up. What to dial and when is decided by core/relayed; frames by UDP never come here.
//
// # Ways
//
// A relay is dialed by QUIC, a little later by TLS over TCP, and a little later through an HTTP proxy where one is set; the first whole handshake wins (sys/stream), and is remembered until the
// host's network changes. The relay's certificate must be that of the relay that is meant, under the pinned root. The node's goes with its first frame, and a proof that it is the node's (proto/relay).
//
// Over TCP all frames share a stream. Over QUIC packets travel as datagrams, and only what has to arrive on the stream.
//
// # Goroutines
//
// Each connection has one that dials, registers and then reads, one that writes, and over QUIC one that reads datagrams. Frames that come are handed on in batches, as many as one read brought; what
// is sent waits in an outbox of at most outboxBytes, and is dropped beyond that, like a packet by a full router. All have ended when Close returns.
package relays
