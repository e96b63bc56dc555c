package tui

import (
	"fmt"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// tone is how a change is felt.
type tone int

const (
	fair tone = iota
	good
	bad
)

// change is a line of the log.
type change struct {
	at      time.Time
	tone    tone
	network string
	text    string
}

// maxChanges bounds the log.
const maxChanges = 1000

// changelog is what has happened since the program started, newest last.
type changelog struct {
	list []change
	seen uint64 // how many there were in all
}

func (c *changelog) add(at time.Time, t tone, network, text string) {
	if len(c.list) == maxChanges {
		c.list = append(c.list[:0], c.list[maxChanges/10:]...)
	}
	c.list = append(c.list, change{at, t, network, text})
	c.seen++
}

// peer tells how a peer differs from before.
func (c *changelog) peer(at time.Time, p, was *peer) {
	if p.name != was.name {
		c.add(at, fair, p.network, was.name+" is called "+p.name+" now")
	}
	if p.owner != was.owner {
		c.add(at, fair, p.network, p.name+" belongs to "+orNobody(p.owner)+" now")
	}
	if p.way == was.way {
		return
	}
	switch {
	case p.stand == offline:
		c.add(at, bad, p.network, p.name+" went offline")
	case was.stand == offline && p.stand == idle:
		c.add(at, good, p.network, p.name+" is online")
	case p.stand == direct:
		c.add(at, good, p.network, p.name+" is reached directly")
	case p.stand == relayed:
		c.add(at, fair, p.network, p.name+" is reached through "+p.way)
	case p.stand == closed:
		c.add(at, bad, p.network, p.name+" is closed: "+cleanText(p.Closed))
	case p.stand == idle:
		c.add(at, fair, p.network, p.name+" is idle")
	}
}

func orNobody(owner string) string {
	if owner == "" {
		return "nobody"
	}
	return owner
}

// networks tells how memberships differ from before.
func (c *changelog) networks(at time.Time, before, now []*network) {
	old := map[string]*network{}
	for _, n := range before {
		old[n.ID] = n
	}
	for _, n := range now {
		was := old[n.ID]
		delete(old, n.ID)
		if was == nil {
			c.add(at, good, n.name, "this machine is a member now")
			continue
		}
		c.network(at, was, n)
	}
	for _, n := range before {
		if old[n.ID] != nil {
			c.add(at, bad, n.name, "this machine is not a member any more")
		}
	}
}

func (c *changelog) network(at time.Time, was, n *network) {
	if was.State != n.State {
		t := fair
		switch n.State {
		case local.Up:
			t = good
		case local.Failed, local.NeedsLogin:
			t = bad
		}
		c.add(at, t, n.name, "the network is "+cleanName(string(n.State)))
	}
	switch {
	case was.Controller.Connected && !n.Controller.Connected:
		c.add(at, bad, n.name, "the controller is away")
	case !was.Controller.Connected && n.Controller.Connected:
		c.add(at, good, n.name, "the controller is there, over "+cleanName(n.Controller.Transport))
	}
	if was.Policy.Version != n.Policy.Version && n.Policy.Version != 0 {
		c.add(at, fair, n.name, fmt.Sprintf("policy version %d is in force", n.Policy.Version))
	}
	switch before, now := way(was), way(n); {
	case before == now:
	case now == "":
		c.add(at, fair, n.name, "what is for the internet leaves as it would without an exit")
	default:
		c.add(at, fair, n.name, "what is for the internet leaves through "+now)
	}
	codes := map[string]bool{}
	for _, p := range troubles(was) {
		codes[p.Code] = true
	}
	for _, p := range troubles(n) {
		if !codes[p.Code] {
			c.add(at, bad, n.name, cleanText(p.What))
		}
		delete(codes, p.Code)
	}
	for _, p := range troubles(was) {
		if codes[p.Code] {
			c.add(at, good, n.name, "no more: "+cleanText(p.What))
		}
	}
}

// troubles returns everything that is wrong with a network, the worst first.
func troubles(n *network) []local.Problem {
	if n.Problem == nil {
		return n.Warnings
	}
	return append([]local.Problem{*n.Problem}, n.Warnings...)
}
