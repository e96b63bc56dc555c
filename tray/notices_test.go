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
		"a loss and a return are":          {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Offline}, {at: 40, is: local.Up}}, "15s office: the controller is away; 40s office: the controller is back"},
		"a network that fails is lost":     {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Failed}, {at: 40, is: local.Up}}, "15s office is lost; 40s office is back"},
		"a person who switches off knows":  {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Down}, {at: 9, is: local.Starting}, {at: 12, is: local.Up}}, ""},
		"but not that it stays off":        {[]state{{at: 0, is: local.Down}, {at: 5, is: local.Failed}}, "15s office does not come up"},
		"approval is asked and given":      {[]state{{at: 0, is: local.Pending}, {at: 30, is: local.Up}}, "0s office: waiting for approval; 30s office: this machine was let in"},
		"removal is told at once":          {[]state{{at: 0, is: local.Up}, {at: 5, is: local.NeedsLogin}, {at: 90, is: local.Up}}, "5s office: this machine must join again; 1m30s office is back"},
		"and at first, too":                {[]state{{at: 0, is: local.NeedsLogin}}, "0s office: this machine must join again"},
		"a daemon that restarts is none":   {[]state{{at: 0, is: local.Up}, {at: 5, away: errAway}, {at: 12, is: local.Up}}, ""},
		"a daemon that stays away is told": {[]state{{at: 0, is: local.Up}, {at: 5, away: errAway}, {at: 50, is: local.Up}}, "15s CloudVLAN is out of reach; 50s CloudVLAN is back"},
		"expiry is told once a day": {[]state{{at: 0, is: local.Up}, {at: 5, is: local.Up, warnings: expiring}, {at: 6, is: local.Up, warnings: expiring}, {at: 7, is: local.Up}, {at: 8, is: local.Up, warnings: expiring}, {at: 86_410, is: local.Up, warnings: expiring}},
			"5s office: the certificate expires; 24h0m10s office: the certificate expires"},
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

// flapping is a network that goes and comes back so often, every so many seconds.
func flapping(times, every int, then ...state) []state {
	all := []state{{at: 0, is: local.Up}}
	for i := range times {
		all = append(all, state{at: (2*i + 1) * every, is: local.Offline}, state{at: (2*i + 2) * every, is: local.Up})
	}
	return append(all, then...)
}

func TestWhatComesAndGoesIsToldOnce(t *testing.T) {
	const first = "30s office: the controller is away; 40s office: the controller is back; 1m10s office: the controller is away; 1m20s office: the controller is back; 1m50s office comes and goes"
	for name, c := range map[string]struct {
		states []state
		want   string
	}{
		"a hundred times":                        {flapping(100, 20), first},
		"until it keeps still":                   {flapping(10, 20, state{at: 1500, is: local.Up}), first + "; 16m40s office: the controller is back"},
		"or stays away, of which a person knows": {flapping(10, 20, state{at: 420, is: local.Offline}, state{at: 1500, is: local.Up}), first + "; 25m0s office: the controller is back"},
		"and then is told as before":             {flapping(10, 20, state{at: 2000, is: local.Offline}), first + "; 16m40s office: the controller is back; 33m30s office: the controller is away"},
		"but not what somebody must do":          {flapping(10, 20, state{at: 420, is: local.NeedsLogin}), first + "; 7m0s office: this machine must join again"},
		"nor when it was switched off and on":    {flapping(10, 20, state{at: 420, is: local.Down}, state{at: 440, is: local.Up}, state{at: 460, is: local.Offline}), first + "; 7m50s office comes and goes"},
		"twice is not often":                     {flapping(2, 20), strings.TrimSuffix(first, "; 1m50s office comes and goes")},
		"nor is once an hour":                    {flapping(4, 1800), "30m10s office: the controller is away; 1h0m0s office: the controller is back; 1h30m10s office: the controller is away; 2h0m0s office: the controller is back; 2h30m10s office: the controller is away; 3h0m0s office: the controller is back; 3h30m10s office: the controller is away; 4h0m0s office: the controller is back"},
	} {
		if got := played(c.states); got != c.want {
			t.Errorf("%s: said %q, not %q", name, got, c.want)
		}
	}
}

// TestMessagesSayWhatTheirTitlesDoNot reads the texts below the titles, of what has happened and of the return.
func TestMessagesSayWhatTheirTitlesDoNot(t *testing.T) {
	problem := &local.Problem{Code: "x", What: "the controller ctl.example.com:443 does not answer", Hint: "see: cvlan doctor"}
	for _, c := range []struct {
		is         local.State
		problem    *local.Problem
		away       error
		want, back string
	}{
		{local.Offline, nil, nil, "The network runs on.", "Connected, 3 peers online"},
		{local.Offline, problem, nil, "The network runs on.\nThe controller ctl.example.com:443 does not answer\nsee: cvlan doctor", "Connected, 3 peers online"},
		{local.Failed, problem, nil, "The controller ctl.example.com:443 does not answer\nsee: cvlan doctor", "Connected, 3 peers online"},
		{local.Failed, nil, nil, "Cannot come up", "Connected, 3 peers online"},
		{local.NeedsLogin, nil, nil, "It takes a new key: sudo cvlan up --key-file FILE", "Connected, 3 peers online"},
		{"", nil, errAway, "The daemon does not answer\n" + startIt(), "The daemon answers."},
	} {
		var n notices
		now := time.Unix(1_800_000_000, 0)
		said := func(is local.State, p *local.Problem, away error) (texts string) {
			w := world{known: true, away: away}
			if away == nil {
				net := member("office", is)
				net.Problem = p
				w.take(news{status: local.Status{Networks: []local.Network{net}}})
			}
			all := n.take(now, &w)
			now = now.Add(settle)
			for _, m := range append(all, n.due(now)...) {
				texts += m.Text
			}
			return texts
		}
		if got := said(local.Up, nil, nil); got != "" {
			t.Errorf("at first: %q", got)
		}
		if got := said(c.is, c.problem, c.away); got != c.want {
			t.Errorf("%s: %q, want %q", c.is, got, c.want)
		}
		if got := said(local.Up, nil, nil); got != c.back {
			t.Errorf("after %s: %q, want %q", c.is, got, c.back)
		}
	}
}
