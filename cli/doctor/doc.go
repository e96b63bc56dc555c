// Package doctor finds out what is wrong with this machine's membership in networks, why, and what to type.
//
// It has three parts. Look gathers Facts: what the daemon says, if it answers, and what the host shows to anybody. Judge makes Findings
// of them and reads nothing itself, so that every finding can be tried without the trouble that it is about. A Finding may carry a
// Cure, a command line that mends the matter and harms nothing: it starts what ought to run, loads a kernel module, or sets back
// a value that somebody has changed. What could cut a connection, or needs a choice, is only told.
//
// Codes are stable: scripts may branch on them, and docs/guides/troubleshooting.md has a heading for each. What the daemon reports of
// a network keeps the daemon's own code.
package doctor
