// Package crypt is what IKE computes with: pseudorandom functions and the keys made with them, and the protection of messages.
//
// Algorithms are chosen by transforms of package msg. What we do not have is refused when it is chosen, never later, and nothing is
// chosen for the caller. Keys come in and go out as bytes, and never into an error. Randomness is an argument.
//
// Sections such as §2.14 are those of RFC 7296.
package crypt
