// Package tui is `cvlan tui`: the networks of this machine in a terminal, live.
//
// # Shape
//
// One root model (Model) owns everything. It holds the world, which is what is known, and one screen for each tab; a screen is a plain
// struct with a pointer to the world that draws itself and answers keys and clicks with actions. Nothing in Update or View reads or
// writes anything outside: an action that needs the daemon or the controller is work, which the root wraps in a tea.Cmd, and its outcome
// comes back as a message that changes the world. Time is what the last tick or message brought.
//
// The daemon's state arrives from one goroutine a program (follow), which watches it, asks for counters as often as their number allows,
// and goes on trying while no daemon answers.
//
// What the state does not say is asked for while somebody looks at it: paths, rules and associations of a peer from the daemon, its
// certificate from the controller. What is wrong with the machine itself is found by an examination that whoever runs the interface
// brings (Config.Examine), with the commands that would mend it, which run only after a yes.
//
// # What must hold
//
// Every string from elsewhere is cleaned once, when it enters the world. No size of the terminal is too small to draw for: lines are cut,
// never wrapped by accident. Lists draw only the rows that are seen; with 10,000 peers an update takes less than 16 ms. Colour never
// carries a meaning alone.
package tui
