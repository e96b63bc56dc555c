// Package engine is one membership's life on a machine: its map, its tunnel, its TUN device and addresses, and the session that
// keeps the map current.
//
// # Invariants
//
// The engine comes up from the map it has on disk, before the controller answers and whether or not it ever does. It touches the
// host only while the membership is approved, its ranges clash with nothing, and no verdict stands against it; what it sets up it
// takes down again. A peer that the map does not show is not in the tunnel.
//
// # Owners
//
// Run's goroutine owns the map and the tunnel. The session hands it pieces of the map and waits for the answer; everybody else reads
// a snapshot through one atomic pointer (Status), and is told of a new one by Config.Changed. What must survive is written by one
// goroutine of its own, so that a disk that hangs stops neither session nor tunnel: at most once in 5 s, the newest state only, and
// once more at the end.
package engine
