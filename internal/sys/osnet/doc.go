// Package osnet is where a node touches its host's network: interface, addresses, routes, local endpoints, echo requests. Whatever
// it sets up is removed by Down, and after a crash by the next start (see System.Cleanup).
//
// # The journal
//
// Before anything is touched, what will be touched is written to a journal in the state folder. Each entry carries the identity of
// its interface: name, kernel index, boot and network namespace. Cleanup removes exactly those interfaces that still have that
// identity, and with them their addresses and routes; another interface that came to have the same name is left alone.
//
// A journal that cannot be written (full or read-only disk) is a warning, not a refusal: all that Up does hangs on the TUN device,
// which the kernel removes when the process dies, and a tunnel may be the only way to reach the machine with the full disk. What Forward
// does outlives the process, so that it refuses instead: switches of the kernel, each noted with what it was before and turned back only
// while it still is what we made it, and a table of nftables of our own, which is replaced and removed as a whole.
//
// # Systems
//
// Linux speaks netlink and is tested in network namespaces. macOS calls ifconfig and route, Windows calls netsh; both compile and
// have not been tested on their systems yet.
package osnet
