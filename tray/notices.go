package tray

import (
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// settle is how long a network must be lost before a person hears of it: a daemon or controller that restarts is no news.
const settle = 10 * time.Second

// What is lost so often within so long comes and goes: that is said once, and then nothing until it has kept still for as long.
const (
	manyLosses = 3
	restless   = 10 * time.Minute
)

// warnAgain is how soon a warning that came back is worth another message.
const warnAgain = 24 * time.Hour

// maxStories bounds the networks that notices keeps count of.
const maxStories = 64

// mood is what a person was last told of a network, or would be.
type mood uint8

const (
	unheard mood = iota
	fine
	off
	waiting // for approval
	alone   // its controller is away, and it runs on
	lost
	out // must join again
)

// stands are the icons beside messages.
var stands = map[mood]menu.Stand{fine: menu.On, waiting: menu.Connecting, alone: menu.Warning, lost: menu.Warning, out: menu.Login}

// story is one network's, or the daemon's.
type story struct {
	name   string
	loss   string // what is said when it is lost, behind its name
	now    mood
	told   mood
	why    string
	hint   string
	since  time.Time             // when now began
	losses [manyLosses]time.Time // that were told, the last at the end
	flaps  bool                  // it comes and goes, and a person knows
	warned time.Time             // when an expiry was told
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
	n.daemon.name, n.daemon.loss = "CloudVLAN", " is out of reach"
	if w.away != nil {
		n.daemon.why, n.daemon.hint = explain(w.away)
		n.daemon.turn(now, lost)
		return n.due(now)
	}
	n.daemon.turn(now, fine)
	n.daemon.why, n.daemon.hint = "The daemon answers.", ""
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
		out = append(out, s.expiry(now, net)...)
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
	s.name, s.loss = name(net.Name), " is lost"
	s.why, s.hint = sentence(net.condition()), ""
	switch net.State { // the title says the rest
	case local.Offline:
		s.why = "The network runs on."
	case local.NeedsLogin:
		s.why = "It takes a new key: sudo cvlan up --key-file FILE"
	}
	if p := net.Problem; p != nil {
		what := sentence(text(p.What))
		if net.State == local.Offline {
			what = joined(s.why, what)
		}
		s.why, s.hint = what, text(p.Hint)
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
	case local.Offline:
		s.turn(now, alone)
	default:
		s.turn(now, lost)
	}
}

// codeExpiring is the warning of a certificate that was not renewed.
const codeExpiring = "certificate-expiring"

// expiry says that a certificate runs out, once a day at most: a network that is switched off and on warns anew.
func (s *story) expiry(now time.Time, net *network) []menu.Notice {
	for _, p := range net.Warnings {
		if p.Code != codeExpiring || !s.warned.IsZero() && now.Sub(s.warned) < warnAgain {
			continue
		}
		s.warned = now
		return []menu.Notice{{Key: net.ID + "/expiry", Title: s.name + ": the certificate expires", Text: joined(sentence(text(p.What)), text(p.Hint)), Stand: menu.Warning, Urgent: true}}
	}
	return nil
}

// sentence begins a text as a sentence.
func sentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[n:]
}

func joined(what, hint string) string {
	if hint == "" {
		return what
	}
	return what + "\n" + hint
}

func (s *story) turn(now time.Time, m mood) {
	if s.now != m {
		s.flaps = s.flaps && now.Sub(s.since) < restless
		s.now, s.since = m, now
	}
}

// amiss reports whether something is lost, which may come back by itself.
func (s *story) amiss() bool { return s.now == lost || s.now == alone }

// wait is how long it has to keep still before that is worth a message.
func (s *story) wait() time.Duration {
	switch {
	case s.flaps && (s.amiss() || s.now == fine):
		return restless
	case s.amiss():
		return settle
	}
	return 0
}

// deadline says when due has something to say; zero: only after news.
func (n *notices) deadline() (at time.Time) {
	for _, s := range append(n.all(), &n.daemon) {
		if s.now == s.told || s.told == unheard || s.wait() == 0 {
			continue
		}
		if t := s.since.Add(s.wait()); at.IsZero() || t.Before(at) {
			at = t
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
	if s.told != unheard && now.Sub(s.since) < s.wait() {
		return menu.Notice{}, false
	}
	was := s.told
	if s.now == was {
		return menu.Notice{}, false
	}
	if was == unheard && s.now != waiting && s.now != out { // how it was when we came is no news, unless somebody must act
		if !s.amiss() { // which may still be coming up
			s.told = s.now
		}
		return menu.Notice{}, false
	}
	s.told, s.flaps = s.now, s.amiss() && s.often(now)
	m := menu.Notice{Key: key, Stand: stands[s.now]}
	switch {
	case s.flaps:
		m.Title, m.Text = s.name+" comes and goes", joined(s.why, "You hear of it again when it has kept still for ten minutes.")
	case s.now == alone:
		m.Title, m.Text = s.name+": the controller is away", s.why
	case s.now == lost && was == off:
		m.Title, m.Text = s.name+" does not come up", s.why
	case s.now == lost:
		m.Title, m.Text, m.Urgent = s.name+s.loss, s.why, true
	case s.now == out:
		m.Title, m.Text, m.Urgent = s.name+": this machine must join again", s.why, true
	case s.now == waiting:
		m.Title, m.Text = s.name+": waiting for approval", "An admin must let this machine in."
	case s.now == fine && was == waiting:
		m.Title, m.Text = s.name+": this machine was let in", s.why
	case s.now == fine && was == alone:
		m.Title, m.Text = s.name+": the controller is back", s.why
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

// often notes a loss that is told, and reports whether there have been many of late.
func (s *story) often(now time.Time) bool {
	copy(s.losses[:], s.losses[1:])
	s.losses[manyLosses-1] = now
	return !s.losses[0].IsZero() && now.Sub(s.losses[0]) < restless
}
