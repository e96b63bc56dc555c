// Package ipsec tells stories of our IKEv2 and ESP and of other people's: strongSwan, with its ESP in userspace, so that any kernel will do.
// Run it with `make interop-ipsec`, which prints a line for each story.
//
// Each story has a laboratory of its own (package lab) with two computers on one routed network. Ours runs lab/ikenode, theirs charon. What
// is inside is loadgen's: pings that must all come back, and a TCP stream. Nothing sleeps: a story waits for what it can see, with a deadline.
package ipsec
