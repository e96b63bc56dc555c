// Package daemon wires cvland: the memberships on disk, one engine for each that is wanted up, and the local API.
//
// # A join
//
// Up with a join key: the keys are made and on the disk, the session asks the controller, the answer becomes a membership by one
// rename, its engine starts. Dying anywhere on the way costs nothing but a second `cvlan up` with the same key.
//
// # Owners
//
// One operation at a time starts and stops engines; questions are answered meanwhile from snapshots. Every engine runs in a goroutine
// that Run waits for.
package daemon
