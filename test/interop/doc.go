// Package interop tells stories of our tunnel and of other implementations of WireGuard: the kernel's and wireguard-go. Run it with
// `make interop-wg`, which prints a line for each story. docs/develop/interop.md says what is needed.
//
// Each story has a laboratory of its own (package lab): two computers on one routed network, "ours" and "theirs", and a third, "crowd",
// where somebody has to press them. Every side is a program or a kernel in its own namespace that is configured by the wg tool, so that
// the stories are the same for all of them. What went over the wire is read from a packet socket.
//
// Nothing sleeps: a story waits for what it can see, with a deadline. Deadlines are those of the protocol's timers with room for a
// machine that is busy; in a guest whose time travels they cost nothing.
package interop
