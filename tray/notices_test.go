package tray

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// played plays states at seconds and returns what was said, each with its second.
func played(states []state) string {
	var n notices
	began := time.Unix(1_800_000_000, 0)
	var said []string
	next := 0
	for second := 0; second <= states[len(states)-1].at+60; second++ {
		now := began.Add(time.Duration(second) * time.Second)
		out := n.due(now)
		for next < len(states) && states[next].at == second {
			w := world{known: true, away: states[next].away}
			if w.away == nil {
				net := member("office", states[next].is)
				net.Warnings = states[next].warnings
				w.take(news{status: local.Status{Networks: []local.Network{net}}})
			}
			out = append(out, n.take(now, &w)...)
			next++
		}
		if at := n.deadline(); !at.IsZero() && !at.After(now) {
			said = append(said, "a deadline that is over")
		}
		for _, m := range out {
			said = append(said, now.Sub(began).String()+" "+m.Title)
		}
	}
	return strings.Join(said, "; ")
}

type state struct {
	at       int
	is       local.State
	away     error
	warnings []local.Problem
}

func TestWhatIsWorthAMessage(t *testing.T) {
	expiring := []local.Problem{{Code: codeExpiring, What: "the certificate ends tomorrow"}}
	for name, c := range map[string]struct {
		states []state
		want   string
	}{
		"how it is at first is no news":    {[]state{{at: 0, is: local.Up}}, ""},
		"coming up is none":                {[]state{{at: 0, is: local.Starting}, {at: 20, is: local.Up}}, ""},
		"a flap is none":                   {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Offline}, {at: 9, is: local.Up}}, ""},
		"a loss and a return are":          {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Offline}, {at: 40, is: local.Up}}, "15s office is lost; 40s office is back"},
		"a person who switches off knows":  {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Down}, {at: 9, is: local.Starting}, {at: 12, is: local.Up}}, ""},
		"but not that it stays off":        {[]state{{at: 0, is: local.Down}, {at: 5, is: local.Failed}}, "15s office does not come up"},
		"approval is asked and given":      {[]state{{at: 0, is: local.Pending}, {at: 30, is: local.Up}}, "0s office: waiting for approval; 30s office: this machine was let in"},
		"removal is told at once":          {[]state{{at: 0, is: local.Up}, {at: 5, is: local.NeedsLogin}, {at: 90, is: local.Up}}, "5s office: this machine must join again; 1m30s office is back"},
		"and at first, too":                {[]state{{at: 0, is: local.NeedsLogin}}, "0s office: this machine must join again"},
		"a daemon that restarts is none":   {[]state{{at: 0, is: local.Up}, {at: 5, away: errAway}, {at: 12, is: local.Up}}, ""},
		"a daemon that stays away is told": {[]state{{at: 0, is: local.Up}, {at: 5, away: errAway}, {at: 50, is: local.Up}}, "15s CloudVLAN is lost; 50s CloudVLAN is back"},
		"expiry is told once, until it is mended": {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Up, warnings: expiring}, {at: 6, is: local.Up, warnings: expiring}, {at: 7, is: local.Up}, {at: 8, is: local.Up, warnings: expiring}},
			"5s office: the certificate expires; 8s office: the certificate expires"},
	} {
		if got := played(c.states); got != c.want {
			t.Errorf("%s: said %q, not %q", name, got, c.want)
		}
	}
}

func TestManyNetworksAreNotKeptForEver(t *testing.T) {
	var n notices
	for i := range 1000 {
		net := member("n", local.Up)
		net.ID = time.Duration(i).String()
		var w world
		w.take(news{status: local.Status{Networks: []local.Network{net}}})
		n.take(time.Time{}, &w)
	}
	if len(n.stories) != 1 || len(n.order) != 1 {
		t.Error(len(n.stories), len(n.order))
	}
}
