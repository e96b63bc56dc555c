package tui

import (
	"context"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
)

// exitKey is the setting that says through which machine what is for the internet leaves.
const exitKey = "exit-node"

// leavesShort is the exit of a network that has one, and its state where that is not in use.
func leavesShort(n *network) string {
	if n.Exit.State == local.ExitInUse {
		return cleanName(n.Exit.Node)
	}
	return cleanName(n.Exit.Node) + ", " + spoken(n.Exit.State)
}

// leaves says through which machine of a network what is for the internet leaves, and what that takes away; "": through none.
func leaves(n *network) string {
	x := n.Exit
	switch {
	case x == nil:
		return ""
	case x.State == local.ExitFailed:
		return leavesShort(n) + ": traffic leaves as it would without"
	}
	text := leavesShort(n)
	if x.State != local.ExitInUse {
		text += ": nothing leaves for the internet"
	} else if !x.IPv6 {
		text += ", IPv4 alone: nothing leaves by IPv6"
	}
	if x.LAN {
		return text + "; local networks stay in reach"
	}
	return text + "; local networks are out of reach"
}

// way is through which machine what is for the internet leaves; "": through none. An exit that is away is told of as something wrong.
func way(n *network) string {
	if n.Exit == nil || n.Exit.State == local.ExitFailed {
		return ""
	}
	return cleanName(n.Exit.Node)
}

// exitAt is the exit that a peer is; nil: it is none.
func (w *world) exitAt(p *peer) *local.ExitPeer {
	if p == nil {
		return nil
	}
	n := w.network(p.id.network)
	if n == nil {
		return nil
	}
	if i := slices.IndexFunc(n.Exits, func(x local.ExitPeer) bool { return x.Name == p.Name }); i >= 0 {
		return &n.Exits[i]
	}
	return nil
}

// leavesBy reports whether a network's exit is the one of that name.
func (n *network) leavesBy(name string) bool { return n.Exit != nil && n.Exit.Node == name }

// internet says of a peer that it leads there; "": it does not.
func (w *world) internet(p *peer) string {
	x := w.exitAt(p)
	switch {
	case x == nil:
		return ""
	case w.network(p.id.network).leavesBy(x.Name):
		return "the internet (" + spoken(w.network(p.id.network).Exit.State) + ")"
	case !x.Allowed:
		return "the internet (not allowed by policy)"
	}
	return "the internet"
}

// turnExit has what is for the internet leave through a peer, or through none if it does already.
func (w *world) turnExit(p *peer) action {
	x := w.exitAt(p)
	if x == nil {
		return nil
	}
	n := w.network(p.id.network)
	if n.leavesBy(x.Name) {
		return useExit{n.ID, n.name, ""}
	}
	return n.leave(*x)
}

// leave has what is for the internet leave through an exit, after a yes, unless it does already or policy forbids it.
func (n *network) leave(x local.ExitPeer) action {
	switch {
	case n.leavesBy(x.Name):
		return say{text: n.already()}
	case !x.Allowed:
		return say{"Policy lets this machine reach nothing on the internet; an admin allows it with the destination autogroup:internet", true}
	}
	return ask{question: "Send all that is for the internet through " + cleanName(x.Name) + "? Nothing leaves beside it, also while it is away, and who is connected to this machine from the internet loses it.",
		then: useExit{n.ID, n.name, x.Name}}
}

// pickExit asks through which machine of a network what is for the internet shall leave.
func pickExit(n *network) action {
	if len(n.Exits) == 0 && n.Exit == nil {
		return say{"No machine is an exit in " + n.name + "; on one that shall be: sudo cvlan exit offer", true}
	}
	at, choices := 0, []string{"none"}
	for i, x := range n.Exits {
		choices = append(choices, cleanName(x.Name))
		if n.leavesBy(x.Name) {
			at = i + 1
		}
	}
	choices = aligned(choices)
	for i, x := range n.Exits {
		choices[i+1] += n.exitState(x)
	}
	return choose{"Through which machine to the internet?", choices, at, func(i int) action {
		switch {
		case i > 0:
			return n.leave(n.Exits[i-1])
		case n.Exit == nil:
			return say{text: n.name + " uses no exit"}
		}
		return useExit{n.ID, n.name, ""}
	}}
}

// already says that the exit of a network is the one that somebody has chosen again, and how it is where it is not in use.
func (n *network) already() string {
	text := cleanName(n.Exit.Node) + " is the exit of " + n.name + " already"
	if n.Exit.State != local.ExitInUse {
		text += ", and " + spoken(n.Exit.State)
	}
	return text
}

// exitState says how an exit is, and what it takes if that is not all; "": it is there.
func (n *network) exitState(x local.ExitPeer) string {
	state, half := "", ""
	switch {
	case n.leavesBy(x.Name):
		state = spoken(n.Exit.State)
	case !x.Allowed:
		state = "not allowed by policy"
	case !x.Online:
		state = "offline"
	}
	switch {
	case !x.IPv6:
		half = "IPv4 alone"
	case !x.IPv4:
		half = "IPv6 alone"
	}
	return strings.Trim(state+", "+half, ", ")
}

// useExit sets through which machine what is for the internet leaves; "": through none.
type useExit struct{ id, network, exit string }

func (u useExit) run(ctx context.Context, c *Config) outcome {
	value, what, well := u.exit, "use the exit "+cleanName(u.exit), "what is for the internet leaves through "+cleanName(u.exit)
	if value == "" {
		value, what, well = local.DefaultValue, "use no exit", "what is for the internet leaves as it would without an exit"
	}
	_, err := c.Daemon.Set(ctx, local.SetRequest{Network: u.id, Values: map[string]string{exitKey: value}})
	return done{what, u.network + ": " + well, err, nil}
}
