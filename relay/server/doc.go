// Package server is a relay's sockets around its core (internal/core/forward).
//
//	UDP port ──┬─ worker 1 ─┐ read lock   ┌────────┐ write lock  ┌───────┐
//	(SO_REUSE- ├─ worker 2 ─┼───────────► │ Table, │ ◄────────── │ owner │ ◄─ control frames, registrations
//	 PORT)     └─ QUIC ──┐  │             │ Books  │             └───────┘    (bounded queues)
//	TCP port ─── TLS ────┴─ carriers ───► └────────┘
//	3478 ─────── STUN
//
// A worker takes what one system call brought, decides about each frame under one lock, and sends in one call what goes on; trains stay together.
// The owner's goroutine alone uses the forward.Machine. The kernel hands QUIC its own socket (see sock.OpenBeside).
//
// A connection, TLS or QUIC, registers its client. It may end then: the rest runs on UDP. Or it stays and carries the frames itself: it is a carrier. A carrier's
// handshake runs on a goroutine that ends, for its stack has grown to four times of what waiting takes. At rest a carrier over TLS is one goroutine
// and no buffer, one over QUIC is none: its port tells when something comes. What goes to a carrier waits in at most two buffers of 128 KiB; what does not fit is dropped and counted, and a
// peer that takes nothing for ten seconds is cut; over QUIC that takes up to half a minute, for quic-go tries again, ever more rarely, for some time.
package server
