// Package disco is the wire between two nodes that look for a way to each other: small sealed datagrams on the node's socket.
//
//	0      type, 0x0C
//	1      version, 1
//	2-9    hint
//	10-33  nonce, 24 random bytes
//	34-    message, sealed with XChaCha20-Poly1305: 16 bytes longer than it is; bytes 0-33 are authenticated with it
//
// S and R are the X25519 public keys (WireGuard's) of sender and receiver, H is BLAKE2s-256, and H(k; …) the same keyed with k. The
// key of a direction is H(DH(S, R); "cvlan disco 1 key" S R). The index of a direction is the first 8 bytes of
// H("cvlan disco 1 index" R S), and the hint is the index xor the first 8 bytes of H("cvlan disco 1 hint" R nonce). A receiver
// files its peers by index: whatever comes in costs it one hash, one look into a table and, if that finds a peer, one opening.
//
// # Messages
//
// Numbers are big endian; an address is 16 bytes (IPv4 mapped into IPv6) and a port of 2.
//
//	1 ping      transaction (8), zeros: as many as the probe is long, at least those that make it as long as a pong
//	2 pong      transaction (8), the address that the ping came from (18), length of its datagram (2)
//	3 offer     generation (8), mapping behaviour of the sender's NAT (1), ms until the sender's first ping (2), count (1, at most
//	            16), candidates (19 each: kind, address)
//	4 path MTU  transaction of a ping (8), length of the longest datagram that arrived (2)
//	5 part      exchange (8), step (1), index (1), count (1), 1 to 640 bytes: a piece of a message of a key exchange that is too
//	            long for one datagram of 1,280 bytes with its headers; all but the last are 640 bytes, at most 4
//
// Mapping behaviours: 0 unknown (also of who could not guess ports now), 1 no NAT, 2 endpoint-independent, 3 address-dependent, 4 address- and port-dependent. Kinds of
// candidates: 1 host, 2 server-reflexive (STUN), 3 port-mapped (PCP, NAT-PMP, UPnP), 4 seen by a relay, 5 guessable: seen from
// outside, but another peer will see another port. Receivers leave out kinds that they do not know.
//
// The countdown of an offer lets both sides send their first pings at the same moment, which some pairs of NATs need: it runs from
// when the offer was sent, so a receiver takes off half the round trip of the way that the offer came.
//
// Two countdowns are none: 65535 asks for an offer in answer, for the sender does not know yet when to begin, and 65534 is in that answer.
//
// # What it gives
//
//   - Only the peer can have sealed a datagram, and only this node can open it. A datagram that is sent back to its sender does not
//     open, for each direction has a key of its own; nor does it for a third node, because S and R are in the key.
//   - Keys are apart from WireGuard's, which computes the same DH: that enters HMAC as a message there, and BLAKE2s as a key here.
//   - 2^80 datagrams of one direction may be sealed before two random nonces of 192 bits meet with a chance of 2^-33.
//
// # What it does not give
//
//   - Order or freshness. Every datagram can be replayed, from anywhere. A ping proves nothing about where it came from: it is
//     answered in a datagram no longer than itself, so that the answer is no weapon. Only a pong with the transaction of a ping that
//     was sent to that very address, once, proves a path; transactions are random. A path MTU counts only if it names such a ping.
//     An offer counts if its generation is higher than the last; a sender begins with the milliseconds of its wall clock and counts
//     up, and a receiver forgets the last after ten minutes, should that clock have been wrong. Whoever replays an older offer then
//     gains some pings, sparsely sent and soon ended, to addresses that the peer once named. An exchange of parts has random numbers
//     and confirms its keys.
//   - Forward secrecy. The keys are static. Who learns either private key reads what was recorded; nothing here may carry more than
//     addresses, sizes and the public parts of a key exchange. A quantum computer will be such a reader.
//   - Resistance to impersonation by who holds R's private key: that one can forge to R in everybody's name (as with any key that two
//     parties share), and so mislead R about addresses, or hinder its exchanges. WireGuard's own handshake stays what decides who a
//     peer is.
//   - Anonymity from those who know R, the nodes of R's networks: they can take the mask off the hint, tell which datagrams are from
//     the same sender, and, knowing S, from whom. To all others bytes 2 and up are random, but for their length.
//   - A hint that nobody else has: a stranger who wants the index of another's peer must try 2^64 keys and be admitted with the one
//     that fits; the two would then not find their paths.
package disco
