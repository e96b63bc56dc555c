// Package esp is the Encapsulating Security Payload as a pure core: it decides, and the engine that owns it moves the bytes. IKE, or
// whoever else agrees on keys, hands them in.
//
// Sections such as §3.4.3 are those of RFC 4303. What is spoken is tunnel mode with IPv4 and IPv6 inside, always in UDP (RFC 3948): a
// datagram begins with the SPI.
//
//	0        4        8              8+iv                                      n-icv       n
//	| SPI    | seq    | IV           | packet, TFC padding, 1 2 3 .. , length, next | ICV    |
//	'------ header ---'              '---------------- encrypted -------------------'
//
// A datagram of one byte FF is a keepalive of NATs, and one that begins with four bytes of zero is a message of IKE: no SPI is 0. Our own
// SPIs are 3xxxxxxx, so that ESP shares a port with WireGuard, STUN and QUIC.
//
// # Suites
//
//	suite                            header  padding to  ICV  most that it adds
//	AES-256/192/128-GCM (RFC 4106)   8 + 8   4           16   37 bytes
//	ChaCha20-Poly1305 (RFC 7634)     8 + 8   4           16   37
//	AES-256/128-CBC (RFC 3602)       8 + 16  16          16   57
//	  and HMAC-SHA2-256-128 (RFC 4868), over what was encrypted
//	AES-256/128-CBC, HMAC-SHA1-96    8 + 16  16          12   53
//
// CBC is for gear that knows nothing better: it costs several times as much. SHA-1 is for clients that have not been told better.
//
// # Pairs and machines
//
// Two kinds of object share the work, so that no packet ever waits for a key exchange:
//
//   - A Machine owns every peer's pairs of SAs, their lifetimes and the choice among them. One goroutine owns it (the owner loop is its
//     lock). It takes keys, wishes and the time, and fills an Out with datagrams to send and events to act upon.
//   - A Pair is one SA in each direction, what IKE calls a Child SA. Machines make them; the engine publishes them to its workers by
//     pointer, and any number of workers seal and open with one at the same time, without locks and without allocation.
//
// The life of a pair:
//
//	owner                                            workers
//	SPI               the SPI that we offer
//	Install           -> EventInstalled: publish under Local     Open, then Received once a batch
//	                  -> EventCurrent: the peer's sender         Reserve, Seal, then Sent once a batch
//	                  <- EventDue: make another pair
//	Install (another) -> both receive, the newer one sends
//	Delete            -> after Linger EventRetired: unpublish
//
// Who asked for a pair sends with it at once, and begins with a dummy packet. Who answered waits to hear it used (Keys.Waits), because the
// answer may still be under way (RFC 7296 §2.8). It does not wait for ever, or packets would wait for a peer that has nothing to say, and no
// longer than until the peer deletes the pair that the new one replaces (Keys.Replaces).
//
// Sent and Received leave marks in a few shared words (see activity) and report whether the owner should be told. The report is
// level-triggered: it is repeated with every batch until the owner has called Machine.Attend, so an engine may drop one when a queue is full.
//
// # Lifetimes
//
// At the end of its soft lifetime (an hour less up to an eighth; three quarters of the hard one in packets and bytes) a pair is due for
// replacement, which is said every 30 s until there is a successor. At the end of the hard one (75 minutes; 2^41 packets, or 2^32-1 without
// extended sequence numbers) it neither seals nor opens. Both may be set, in time, packets and bytes.
//
// # Sequence numbers
//
// The sequence number is the one counter of a sending SA: Reserve hands it out, it is never used twice, and at the end of its range, or of
// a lifetime, Reserve refuses (§3.3.3). The IV of AES-GCM and of ChaCha20-Poly1305 is that number (RFC 4106 §3.1), that of AES-CBC is the
// number encrypted (NIST SP 800-38A, appendix C), so nothing here depends on random numbers but SPIs and jitter.
//
// Extended sequence numbers (§2.2.1) have 64 bits, of which a packet carries the lower 32. A receiver takes the upper ones from the highest
// number that has proved authentic: the only number with these lower bits from the window's bottom on, within 2^32. One that is older than
// the window is therefore taken for a number far ahead, does not prove authentic, and is counted as a replay.
//
// # What differs from other implementations, on purpose
//
//   - Padding is as short as alignment allows, and TFC padding is never sent. The content of received padding is not looked at: it is
//     authenticated.
//   - Transport mode, ESP without encryption, and ESP without integrity do not exist here, nor SAs without a replay window.
//   - The window is at least 1,024 packets and at most 8,160.
//   - A packet that is authentic but of other traffic than was agreed on (traffic selectors) is dropped and counted by itself.
//   - Roaming is reported (EventHeard), never acted upon: the path layer decides where a peer is.
//   - A deleted pair receives for Linger longer, so that what the peer sent before it agreed, and the network held back, is not lost. With more than MaxPairs the one that lingers longest ends earlier.
//
// # FIPS
//
// AES-GCM is the Go Cryptographic Module's in FIPS mode, made where its own rule for nonces is not enforced: that rule knows TLS and random
// nonces only. Otherwise it is that of package gcm where the processor has use for it. The nonce is RFC 4106's, unique because Reserve is. The module's service indicator does not call this use approved. In strict mode
// ChaCha20-Poly1305 is refused when keys are installed.
//
// Keys that are no longer needed are left to the garbage collector: neither crypto/aes nor x/crypto's ciphers can be wiped.
package esp
