// Package session keeps one node's session with its controller alive: the shell around the node stream of proto/control.
//
// Session.Run connects, says Hello with what the node already has, hands every piece of the map to its Table, signs the node's own
// record, reports where the node can be reached, renews its certificate, and starts again when the connection ends. It decides
// nothing about tunnels or addresses: the engine that owns it does. Losing the controller is no error here, but a State.
//
// Join is the other half: the one exchange that a machine without a certificate may have.
//
// # Who calls whom
//
// Run's goroutine is the only one that touches the session's own state. Report and Wake may be called from any goroutine and
// never block; State reads a snapshot. The functions in Config and the methods of Table are called from Run's goroutine.
//
// # Silence
//
// A controller that does not answer what the transport asks is Silent, and told so: whoever asks should not wait for the transport to give
// up, and the transport should not give up for what a bad line does. The session goes on when an answer comes.
//
// # Coming back
//
// After a connection was lost the session waits at random between 0.2 s and a bound that doubles from 0.4 s to 30 s (full jitter),
// or longer when the controller asked for it; after a verdict that only a person can change (removed, cloned) 5 minutes, doubling
// to an hour. Wake cuts short only the waits that nobody asked for.
package session
