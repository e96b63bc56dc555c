// Package hostdns has the host ask a name server of ours about names of ours, and nobody else about those.
//
// # Who decides on a host
//
// Whatever /etc/resolv.conf says: that is where programs look. Where it leads to systemd-resolved, each interface of ours gets our server, the
// domains that are searched, and those that are only routed there; it goes with the interface, whoever dies. Anywhere else, whoever wrote the file, lines of
// ours are put into it (package resolvconf): our server comes first and those that were there stay behind it, so that programs go on to them where ours is gone.
// Our server then passes on what is not ours to them.
//
// # The journal
//
// Before a file is touched, the journal in the state folder names it; without one it stays as it is, because it outlives the process. Cleanup takes
// our lines out of the files that are named there, whatever others have made of the rest.
//
// # Systems
//
// Linux. Others answer with a fault that says so.
package hostdns
