package tray

import (
	"fmt"
	"slices"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// maxExits bounds the exits that the menu shows.
const maxExits = 12

// exitEntries choose through which machine of a network what is for the internet leaves. There are none where no machine offers that, and none is in use.
func (w *world) exitEntries(n *network) []menu.Entry {
	open := slices.DeleteFunc(slices.Clone(n.Exits), func(x local.ExitPeer) bool { return !x.Allowed })
	used := ""
	if n.Exit != nil {
		used = n.Exit.Node
	}
	if len(open) == 0 && used == "" {
		return nil
	}
	e := menu.Entry{Key: "exits/" + n.ID, Label: "Exit node: none"}
	switch {
	case n.Exit != nil && n.Exit.State != local.ExitInUse:
		e.Label = "Exit node: " + name(used) + ", " + text(n.Exit.State)
	case used != "":
		e.Label = "Exit node: " + name(used)
	}
	if len(w.networks) > 1 {
		e.Label += " (" + name(n.Name) + ")"
	}
	e.Children = []menu.Entry{{Key: e.Key + "/off", Label: "None", Kind: menu.Check, Marked: used == "", Action: menu.Action{Verb: menu.Exit, Network: n.ID, Text: local.DefaultValue}}}
	for _, x := range open[:min(len(open), maxExits)] {
		label := name(x.Name)
		if !x.Online {
			label += " (offline)"
		}
		e.Children = append(e.Children, menu.Entry{Key: e.Key + "/" + x.Name, Label: label, Kind: menu.Check, Marked: x.Name == used, Action: menu.Action{Verb: menu.Exit, Network: n.ID, Text: x.Name}})
	}
	if more := len(open) - maxExits; more > 0 {
		e.Children = append(e.Children, menu.Entry{Key: e.Key + "/more", Label: fmt.Sprintf("%d more: open in a terminal", more), Action: menu.Action{Verb: menu.Terminal}})
	}
	return []menu.Entry{e}
}
