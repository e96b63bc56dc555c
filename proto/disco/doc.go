// Package disco is the wire between two nodes that look for a way to each other: small sealed datagrams on the node's socket.
//
//	0      type, 0x0C
//	1      version, 1
//	2-9    hint
//	10-33  nonce, 24 random bytes
//	34-    message, sealed with XChaCha20-Poly1305: 16 bytes longer than it is; bytes 0-33 are authenticated with it
//
// S and R are the X25519 public keys (WireGuard's) of sender and receiver; H(k, …) is BLAKE2s-256 keyed with k. The key of a
// direction is H(DH(S, R), "cvlan disco 1 key" S R): a datagram that is sent back to its sender does not open. The index of a
// direction is the first 8 bytes of H(R, "cvlan disco 1 index" S), and the hint is the index xor the first 8 bytes of
// H(R, "cvlan disco 1 hint" nonce). A receiver files its peers by index and so finds the sender with one hash, without an exchange
// of keys. Whoever does not know R sees random bytes; who knows R and S (a node of the same network that sees the wire) can tell.
//
// The keys are static: datagrams have no forward secrecy, and who steals R's key can forge to R. Nothing here may carry more than
// addresses, sizes and the public parts of a key exchange.
//
// # Messages
//
// Numbers are big endian; an address is 16 bytes (IPv4 mapped into IPv6) and a port of 2.
//
//	1 ping      transaction (8), zeros: as many as the probe is long, at least those that make it as long as a pong
//	2 pong      transaction (8), the address that the ping came from (18), length of its datagram (2)
//	3 offer     generation (8), count (1, at most 16), addresses (18 each)
//	4 path MTU  length of the longest datagram that arrived (2)
//	5 part      exchange (8), step (1), index (1), count (1), 1 to 640 bytes: a piece of a message of a key exchange that is too
//	            long for one datagram of 1,280 bytes with its headers; all but the last are 640 bytes, at most 4
//
// A ping proves nothing about where it came from, for it can be replayed: it is answered, in a datagram no longer than itself. Only a
// pong with the transaction of a ping that was sent to that very address, once, proves a path. An offer counts if its generation is
// higher than the last.
package disco
