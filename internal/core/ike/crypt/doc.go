// Package crypt is what IKE computes with: key exchanges, pseudorandom functions and the keys made with them, and the protection of
// messages.
//
// Algorithms are chosen by transforms of package msg. What we do not have is refused when it is chosen, or at the latest, in strict
// FIPS mode, when its keys are made; nothing is chosen for the caller. Keys come in and go out as bytes, and never into an error.
//
// Nonces of protection are an argument or counted; key exchanges take theirs from the standard library, which leaves no choice.
//
// Sections such as §2.14 are those of RFC 7296.
package crypt
