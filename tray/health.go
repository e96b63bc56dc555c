package tray

import (
	"time"

	"github.com/cvlan/cvlan/tray/menu"
)

// joinFirst is what to do on a machine in no network.
const joinFirst = "join one: sudo cvlan up --key-file FILE"

// health tells what is wrong, each with what to do below it.
func (w *world) health(now time.Time) []menu.Entry {
	var all ailments
	if w.failed != nil && now.Sub(w.failed.at) < complain {
		all.add("failed", "", w.failed.what, w.failed.hint)
	}
	switch { // the title says what, so only what to do is left
	case w.away != nil:
		_, hint := explain(w.away)
		all.advise("away", hint)
	case w.known && len(w.networks) == 0:
		all.advise("none", joinFirst)
	}
	for i := range w.networks {
		n := &w.networks[i]
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
		e.Children = advice(e.Key, hint)
	}
	a.entries = append(a.entries, e)
}

// advise says what to do where the title says what is wrong.
func (a *ailments) advise(key, hint string) {
	if hint != "" {
		a.entries = append(a.entries, advice("health/"+key, hint)...)
	}
}

func advice(key, hint string) []menu.Entry {
	return []menu.Entry{
		{Key: key + "/hint", Label: hint, Disabled: true},
		{Key: key + "/copy", Label: "Copy this advice", Action: menu.Action{Verb: menu.Copy, Text: hint, Of: "the advice"}},
	}
}
