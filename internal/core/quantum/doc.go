// Package quantum agrees with each peer on a WireGuard preshared key that a quantum computer cannot find in a recording: an exchange of
// ML-KEM-768 (FIPS 203) between the two nodes, in parts of disco messages.
//
//	initiator I                                                   responder R
//	1  encapsulation key, 1,184 bytes              ---->          encapsulates: K is pending
//	   K is current                                <----   2      ciphertext, 1,088 bytes, and proof A, 32 bytes
//	3  proof C, 32 bytes                           ---->          K is current
//	   the exchange is over                        <----   4      proof D, 32 bytes
//	   begins anew                                 <----   5      in place of 4: one byte, "I have no such K"
//
// Numbers are disco's steps. All messages of an exchange have its number, eight random bytes. With H(k; …) for BLAKE2s-256 keyed with
// the secret of ML-KEM, and T = BLAKE2s-256("cvlan quantum 2 transcript", I's and R's WireGuard keys, number, encapsulation key,
// ciphertext):
//
//	K = H(secret; "cvlan quantum 2 key" T)        A, C, D = H(secret; "cvlan quantum 2 answer" T), "… confirm", "… done"
//
// # Which key is used when
//
// In WireGuard's handshake the responder mixes the preshared key into its answer, and the initiator alone can try several. So a node
// answers with Keys.Current, and tries Current and then Keys.Other on answers to its own handshakes. A key is Current only where the
// other side is known to have it: the initiator of an exchange knows by A, and its responder by C. Until then it is Other, unless there
// is nothing else. The key before stays as Other. Thus at no moment do the two sides lack a common key, whatever is lost, and a session
// that lives never notices.
//
// WireGuard itself cannot ask a peer what it is able to do, and its sessions with such a key are between two nodes that speak this exchange. So
// the exchange stands for what both can do: they take packets whose TCP or UDP checksum is that of the pseudo header alone (docs/adr/0053).
// Whoever cannot do that, or more than that, needs another version of the texts above, and has no key in common with this one.
//
// # Who begins, and what goes wrong
//
//   - A node begins when a handshake is wanted (Want) and it has no key, or one that is RekeyAfter old; and when a handshake failed under
//     every key (Mismatch). Only the initiator repeats itself: 500 ms after the first try, then twice as long each time. A responder
//     answers, and no answer is longer than its question.
//   - If both begin at once, the one with the smaller public key insists: it does not answer while its exchange runs, and the key of its
//     exchange is Current in the end.
//   - An exchange that was answered comes to its end before another begins: a side that has sent 3 and heard neither 4 nor 5 answers a 1
//     with its 3.
//   - A side that restarts has lost its keys. It answers 3 with 5, or, if the other uses a key that it lacks, it refuses the handshake
//     and begins an exchange. Either way both agree again after one round trip.
//   - A pair that is Put never falls back to no key: handshakes wait for the exchange for as long as it takes. Whether a peer can take
//     part at all is not decided here; who Puts peers must go on doing so once Shared has been true, whatever a map says later.
//
// # What it gives and what it does not
//
// Recorded sessions stay secret if either X25519 or ML-KEM-768 holds. Decapsulation keys live for one exchange, so stealing a node later
// opens nothing. Who the peer is, disco's sealing proves, with X25519: an enemy who breaks that while the exchange runs can take part in
// it, as it could in WireGuard's handshake. The peer's private key does not help to read what two others agreed.
//
// Replays: 2, 4 and 5 count only for the exchange that runs. An old 1 costs its receiver one encapsulation (Pace bounds them), and makes
// a pending key that nobody knows; where no other key is, handshakes under it fail, and the Mismatch mends it.
package quantum
