// Package crypt is what IKE computes with: key exchanges, pseudorandom functions and the keys made with them, the protection of
// messages, the proofs of who a peer is, and the profiles that say which of all this is offered and taken.
//
// Algorithms are chosen by transforms of package msg. What we do not have is refused when it is chosen, or at the latest, in strict
// FIPS mode, when its keys are made. Keys come in and go out as bytes, and never into an error; the one exception is Keys.LogLine,
// for who asks for it.
//
// Nonces of protection are an argument or counted; key exchanges and signatures take theirs from the standard library, which leaves
// no choice.
//
// # Proofs
//
// A Proof is a value that only Evidence.Verify makes, and makes only of an AUTH payload that covers the transcript. Without a key, a
// shared secret of some length or a public key, there is none: there is no default, and no method that proves nothing.
//
// Sections such as §2.14 are those of RFC 7296.
package crypt
