package tray

import (
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// settle is how long a network must be lost before a person hears of it: a daemon or controller that restarts is no news.
const settle = 10 * time.Second

// maxStories bounds the networks that notices keeps count of.
const maxStories = 64

// mood is what a person was last told of a network, or would be.
type mood uint8

const (
	unheard mood = iota
	fine
	off
	waiting // for approval
	lost
	out // must join again
)

// stands are the icons beside messages.
var stands = map[mood]menu.Stand{fine: menu.On, waiting: menu.Connecting, lost: menu.Warning, out: menu.Login}

// story is one network's.
type story struct {
	name  string
	now   mood
	told  mood
	why   string
	hint  string
	since time.Time // when now began
	// warned: an expiry was told.
	warned bool
}

// notices decides what is worth a message. The zero value knows nothing yet; the first state is no news. Not safe for concurrent use.
type notices struct {
	stories map[string]*story
	order   []string
	daemon  story
}

const daemonKey = "the daemon"

// take takes in news and returns what to say now.
func (n *notices) take(now time.Time, w *world) []menu.Notice {
	if n.stories == nil {
		n.stories = map[string]*story{}
	}
	n.daemon.name = "CloudVLAN"
	if w.away != nil {
		n.daemon.why, n.daemon.hint = explain(w.away)
		n.daemon.turn(now, lost)
		return n.due(now)
	}
	n.daemon.turn(now, fine)
	there := map[string]bool{}
	var out []menu.Notice
	for i := range w.networks {
		net := &w.networks[i]
		there[net.ID] = true
		s := n.stories[net.ID]
		if s == nil {
			if len(n.stories) >= maxStories {
				continue
			}
			s = &story{}
			n.stories[net.ID] = s
			n.order = append(n.order, net.ID)
		}
		s.take(now, net)
		out = append(out, s.expiry(net)...)
	}
	n.forget(there)
	return append(out, n.due(now)...)
}

func (n *notices) forget(there map[string]bool) {
	kept := n.order[:0]
	for _, id := range n.order {
		if there[id] {
			kept = append(kept, id)
		} else {
			delete(n.stories, id)
		}
	}
	n.order = kept
}

func (s *story) take(now time.Time, net *network) {
	s.name, s.why, s.hint = name(net.Name), net.condition(), ""
	if net.Problem != nil {
		s.why, s.hint = text(net.Problem.What), text(net.Problem.Hint)
	}
	switch net.State {
	case local.Up:
		s.turn(now, fine)
	case local.Down:
		s.turn(now, off)
	case local.Pending:
		s.turn(now, waiting)
	case local.NeedsLogin:
		s.turn(now, out)
	default:
		s.turn(now, lost)
	}
}

// codeExpiring is the warning of a certificate that was not renewed.
const codeExpiring = "certificate-expiring"

// expiry says once that a certificate runs out, and is ready to say it again when that has been mended.
func (s *story) expiry(net *network) []menu.Notice {
	for _, p := range net.Warnings {
		if p.Code != codeExpiring {
			continue
		}
		if s.warned {
			return nil
		}
		s.warned = true
		return []menu.Notice{{Key: net.ID + "/expiry", Title: s.name + ": the certificate expires", Text: joined(text(p.What), text(p.Hint)), Stand: menu.Warning, Urgent: true}}
	}
	s.warned = false
	return nil
}

func joined(what, hint string) string {
	if hint == "" {
		return what
	}
	return what + "\n" + hint
}

func (s *story) turn(now time.Time, m mood) {
	if s.now != m {
		s.now, s.since = m, now
	}
}

// deadline says when tick has something to say; zero: only after news.
func (n *notices) deadline() (at time.Time) {
	for _, s := range append(n.all(), &n.daemon) {
		if s.now == lost && s.told != lost && s.told != unheard {
			if t := s.since.Add(settle); at.IsZero() || t.Before(at) {
				at = t
			}
		}
	}
	return at
}

func (n *notices) all() []*story {
	out := make([]*story, 0, len(n.order)+1)
	for _, id := range n.order {
		out = append(out, n.stories[id])
	}
	return out
}

// due returns what is to be said by now.
func (n *notices) due(now time.Time) (out []menu.Notice) {
	if m, ok := n.daemon.due(now, daemonKey); ok {
		out = append(out, m)
	}
	for _, id := range n.order {
		if m, ok := n.stories[id].due(now, id); ok {
			out = append(out, m)
		}
	}
	return out
}

// due says what a person should hear of one network, if anything.
func (s *story) due(now time.Time, key string) (menu.Notice, bool) {
	if s.now == lost && s.told != unheard && now.Sub(s.since) < settle {
		return menu.Notice{}, false
	}
	was := s.told
	if s.now == was {
		return menu.Notice{}, false
	}
	if was == unheard && s.now != waiting && s.now != out { // how it was when we came is no news, unless somebody must act
		if s.now != lost { // which may still be coming up
			s.told = s.now
		}
		return menu.Notice{}, false
	}
	s.told = s.now
	m := menu.Notice{Key: key, Stand: stands[s.now]}
	switch {
	case s.now == lost && was == off:
		m.Title, m.Text = s.name+" does not come up", s.why
	case s.now == lost:
		m.Title, m.Text, m.Urgent = s.name+" is lost", s.why, true
	case s.now == out:
		m.Title, m.Text, m.Urgent = s.name+": this machine must join again", s.why, true
	case s.now == waiting:
		m.Title, m.Text = s.name+": waiting for approval", "An admin must let this machine in."
	case s.now == fine && was == waiting:
		m.Title, m.Text = s.name+": this machine was let in", s.why
	case s.now == fine && (was == lost || was == out):
		m.Title, m.Text = s.name+" is back", s.why
	default: // switched on or off by a person, who knows
		return menu.Notice{}, false
	}
	if s.now != fine {
		m.Text = joined(m.Text, s.hint)
	}
	return m, true
}
