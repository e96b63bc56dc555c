// Package resolver is the name server of the daemon: it answers programs of this machine about the machines of its networks, and sees to it that
// they ask it.
//
// # Where it listens
//
// At 127.0.67.53, port 53, by UDP and TCP: an address that nobody from outside can send to, that is there before any tunnel is, and one for all networks. If
// another server has that port, it takes one that is free at the same address: systemd-resolved can be told of it, a resolv.conf cannot.
//
// # Whom it asks
//
// Itself about names of ours (package names), and about all others those whom resolv.conf named before it did: with a random number and from a random port
// each, the answer passed on as it came. It remembers nothing. Where programs reach it by systemd-resolved they only ask about names of ours, and it refuses
// all else.
//
// # Owners
//
// Run's goroutine alone changes the host. It looks every quarter of a minute whether all is as it was left; what somebody else has taken out it puts back,
// at most MaxRestores times an hour, and then says that there is a fight. Questions are answered from an immutable book.
package resolver
