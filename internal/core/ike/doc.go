// Package ike is IKEv2 as a pure core: it decides, and the shell that owns it moves the bytes. Its messages are package msg's, its
// algorithms package crypt's; the keys of Child SAs go out in events, to whoever does ESP.
//
// Sections such as §2.8.1 are those of RFC 7296. Spoken besides are RFC 7383 (fragments), 7427 (signatures), 9242 and 9370 (additional
// key exchanges), 6023 (no Child SA), 4478 (proofs that end), and of 4555 (MOBIKE) what moves a peer.
//
// # Objects
//
//	Machine   all IKE SAs of a node
//	sa        one IKE SA: keys, and a window of one request in each direction
//	opening   what an sa knows until its peer has proved who it is
//	session   what we have with a peer that has: IKE SAs that replace each other, Child SAs, wishes
//	task      one wish: a request, and what follows from its answer
//
// A session is made of a crypt.Proof only, and all that an authenticated peer may ask is a method of session. Before there is one, an
// sa takes IKE_INTERMEDIATE and IKE_AUTH and nothing else, and IKE_AUTH only after every key exchange that was agreed on.
//
// # The life of a session
//
//	IKE_SA_INIT, IKE_INTERMEDIATE (ML-KEM), IKE_AUTH   -> EventUp, EventChildUp
//	RekeyChild, when ESP says so                       -> EventChildUp with Replaces, EventChildGone
//	a lifetime, or Rekey                               -> EventRekeyed
//	Move, or the peer's                                -> EventMoved; if the peer began, EventUp of a session from where we are, then EventDown
//	a proof that ends, or Reauthenticate               -> EventUp of a session that takes the place, then EventDown of the old one
//	Terminate, a Delete, or no answer                  -> EventChildDown for each, EventDown
//
// Child SAs belong to the session, not to the IKE SA that made them, so a rekeying of the IKE SA moves nothing.
//
// # Collisions
//
// Both sides may ask for the same at once. Of two replacements of one SA, that goes which was made with the lowest of the four nonces;
// who asked for it deletes it, and who asked for the other deletes the old one (§2.8.1). What cannot be done while another exchange is
// under way is refused with TEMPORARY_FAILURE and asked again after some seconds, which differ on both sides (§2.25).
//
// Two sessions with one peer, because both began at once, are a collision too, though no RFC says so. If one is enough (Peer.Unique), the one with the
// lower nonce goes, once the other has shown that it lives: who began it deletes it at once, and the other side after two seconds, because other
// implementations may have no such rule. Of two Child SAs for the same traffic, neither of which replaces the other, that with the lower nonce goes; who asked
// for it deletes it.
//
// # Peers that forget
//
// Who has no session with a peer says so in IKE_AUTH (INITIAL_CONTACT, §2.4). It ends the sessions of the same two identities that are older than the
// exchange that says it; what is newer has crossed it, and the peer need not have known.
//
// A request for an SA that is not there is answered with INVALID_IKE_SPI in the clear, 16 a second at most. Nobody vouches for such a hint: it
// makes us begin a session beside the one that there is, once a minute at most, and only a peer that proves itself ends the old one.
//
// # What a stranger can cost
//
// A half-open SA lives 30 s, and who has cost a key exchange is one, even if its key was no good. From CookiesFrom of them on, or some with one network, a stranger must return a cookie before a key is
// computed; beyond MaxHalfOpen it is not answered. It holds at most 8 KB of what the stranger sent in the clear, and 32 KB of fragments,
// each of which has proved authentic. A message that does not changes nothing. One recover a datagram keeps a bug of ours from ending
// more than the session that met it.
//
// # What is left out, on purpose
//
// IKEv1; transport mode (an answer to a wish for it is tunnel mode); windows of more than one; certificates by URL; EAP and redirection,
// which come with the vRouter.
//
// Keys that are no longer needed are left to the garbage collector: the standard library's ciphers cannot be wiped.
package ike
