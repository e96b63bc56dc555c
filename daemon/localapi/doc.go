// Package localapi serves the daemon's door for people and programs on the same machine: HTTP over a Unix socket.
//
// # Who may do what
//
// The kernel says who connected (SO_PEERCRED and SO_PEERGROUPS): root and the user that the daemon runs as are admins, members of
// the group cvlan are operators, everybody else may read, unless reading was closed too. What an operation asks for stands in one
// table, local.Routes; the check happens before the request's body is read.
//
// # Bounds
//
// A user holds at most 16 connections and four watches; the others of the machine cannot be crowded out by one of them, because all
// together have fewer than the server takes. Headers, bodies and the time for both are bounded, and so is the time in which a
// watcher must take an event.
package localapi
