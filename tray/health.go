package tray

import (
	"time"

	"github.com/cvlan/cvlan/tray/menu"
)

// health tells what is wrong, each with what to do below it.
func (w *world) health(now time.Time) []menu.Entry {
	var all ailments
	if w.failed != nil && now.Sub(w.failed.at) < complain {
		all.add("failed", "", w.failed.what, w.failed.hint)
	}
	switch {
	case w.away != nil:
		what, hint := explain(w.away)
		all.add("away", "", what, hint)
	case w.known && len(w.status.Networks) == 0:
		all.add("none", "", "Join a network first", "cvlan up --key-file FILE")
	}
	for i := range w.status.Networks {
		n := &w.status.Networks[i]
		if n.Problem != nil {
			all.add(n.ID+"/"+n.Problem.Code, n.Name, n.Problem.What, n.Problem.Hint)
		}
		for _, p := range n.Warnings {
			if all.full() {
				return all.entries
			}
			all.add(n.ID+"/"+p.Code, n.Name, p.What, p.Hint)
		}
	}
	return all.entries
}

// ailments are what is wrong, as entries: a few, and one that says where the rest is.
type ailments struct{ entries []menu.Entry }

func (a *ailments) full() bool { return len(a.entries) > maxHealth }

func (a *ailments) add(key, network, what, hint string) {
	if a.full() {
		return
	}
	if len(a.entries) == maxHealth {
		a.entries = append(a.entries, menu.Entry{Key: "health/more", Label: "More: cvlan status", Disabled: true})
		return
	}
	what, hint = text(what), text(hint)
	if network != "" {
		what = name(network) + ": " + what
	}
	e := menu.Entry{Key: "health/" + key, Label: "⚠ " + what, Disabled: hint == ""}
	if hint != "" {
		e.Children = []menu.Entry{
			{Key: e.Key + "/hint", Label: hint, Disabled: true},
			{Key: e.Key + "/copy", Label: "Copy this advice", Action: menu.Action{Verb: menu.Copy, Text: hint, Of: "the advice"}},
		}
	}
	a.entries = append(a.entries, e)
}
