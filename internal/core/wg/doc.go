// Package wg is the WireGuard protocol as a pure core: it decides, and the engine that owns it moves the bytes.
//
// References such as §5.4.2 are to "WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld, NDSS 2017).
//
// Two kinds of object share the work, so that no packet ever waits for a handshake:
//
//   - A Machine owns every peer's handshake, timers and key rotation. One goroutine owns it (the owner loop is its lock). It
//     takes handshake messages, wishes and the time, and fills an Out with datagrams to send and events to act upon.
//   - A Session is one pair of transport keys. Machines make them; the engine publishes them to its workers by pointer, and any
//     number of workers seal and open with one at the same time, without locks and without allocation.
//
// # The life of a session
//
//	owner                                            workers
//	EventInstalled  -> publish under LocalIndex       Open, then Received once a batch
//	EventCurrent    -> publish as the peer's sender   Reserve, Seal, then Sent once a batch
//	EventRetired    -> unpublish
//
// Sent and Received leave marks in a few shared words (see activity) and report whether the owner should be told. The report is
// level-triggered: it is repeated with every batch until the owner has called Machine.Attend, so an engine may drop one when a
// queue is full, and at worst acknowledges the very last packet of a burst too late. In a quiet or steadily flowing tunnel nothing is reported at all.
//
// When Reserve refuses, or a peer has no current session, the engine keeps the packet in a bounded queue of its own and calls
// Machine.Wake.
//
// # What differs from other implementations, on purpose
//
//   - Roaming is reported (EventHeard), never acted upon: the path layer decides where a peer is. Only a handshake response and a
//     cookie reply go back to where their question came from.
//   - An initiation that arrives while our own is under way does not discard ours. Of two sides that begin at once, the one with
//     the smaller public key insists (DropCrossed) and the other answers, so that it costs no retransmission; peers that know
//     nothing of this rule answer too, and it costs none either.
//   - The first initiation of an attempt is repeated once, after half a second and byte for byte, if nothing has answered; who repeats it to us gets the same
//     response again, until the session is in use. To others a repetition is a recording, which they ignore. What one lost datagram costs is
//     half a second instead of five; the limit of one initiation in REKEY_TIMEOUT (§6.1) holds for all that can make a peer work.
//   - Sessions are dropped as soon as they are of no use, REJECT_AFTER_TIME after their birth, not at three times that age.
//   - Peers may be unknown until they speak: Config.Lookup is asked for the peer behind a stranger's static key.
//
// Keys that are no longer needed are left to the garbage collector: neither crypto/ecdh nor x/crypto's ciphers can be wiped.
package wg
