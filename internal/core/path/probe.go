package path

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// Times of probes.
const (
	silence      = 400 * time.Millisecond // data went out and nothing came back: ask
	urgent       = 200 * time.Millisecond // between the pings to a way in doubt
	failPings    = 4                      // of which that many in a row without an answer,
	failAfter    = 800 * time.Millisecond // over at least that long, say that the way is dead
	refresh      = 5 * time.Second        // between pings to the way in use while it works
	standby      = 10 * time.Second       // between pings to the other proven ways
	healEvery    = 2 * time.Second        // between pings to a way that worked once, at first
	healSlowly   = 5 * time.Second        // and after healFor
	healFor      = time.Minute
	giveUpAfter  = 10 * time.Minute // then a way that worked once is like any other
	provenFor    = 35 * time.Second // that long a way in reserve counts as proven after its last pong
	holdOff      = 200 * time.Millisecond
	triggerAfter = 40 * time.Millisecond
	confirmEvery = 500 * time.Millisecond
)

// ladder is when the pings of a hunt go to a way that has proven nothing, from its beginning: as many at once as the limit of five a
// second allows, because one may be lost and another come before the peer has opened its NAT.
var ladder = [...]time.Duration{
	0, 60 * time.Millisecond, 160 * time.Millisecond, 360 * time.Millisecond, 760 * time.Millisecond,
	1260 * time.Millisecond, 1760 * time.Millisecond, 2260 * time.Millisecond, 2760 * time.Millisecond,
}

// check draws conclusions from what a way has not answered.
func (f *Finder) check(now mono.Time, s *search, t *track) {
	chosen := t.way.same(s.chosen)
	silent := chosen && !s.unanswered.IsNever() && now.Sub(s.unanswered) >= silence
	unkept := t.way.Direct() && !t.proven.IsNever() && t.lost > 0 && now.Sub(t.last) >= t.patience()/2
	if t.doubt.IsNever() && t.usable(f) && (silent || unkept) {
		t.doubt, t.lost = now, 0
	}
	switch {
	case !t.doubt.IsNever() && t.lost >= failPings && now.Sub(t.doubt) >= t.patience() && now.Sub(t.last) >= urgent:
		f.failed(now, s, t)
	case t.way.Direct() && !chosen && !t.proven.IsNever() && now.Sub(t.proven) > provenFor:
		t.fail(now)
		t.failed = mono.Never
	case !t.failed.IsNever() && now.Sub(t.failed) > giveUpAfter && t.way.Direct():
		t.failed = mono.Never
	}
}

// failed takes a dead way out of use. If it was the way in use, ours or the peer's address may be another now.
func (f *Finder) failed(now mono.Time, s *search, t *track) {
	t.fail(now)
	if !t.way.same(s.chosen) {
		return
	}
	s.unanswered = mono.Never
	if t.way.Direct() {
		if !s.flows(now, active) { // a NAT has forgotten it
			f.worn = max(keepLeast, min(keepEvery, f.keeps(t.way)*2/3))
			f.pace()
		}
		s.hunt.n, s.hunt.at = 0, now
		f.restunWanted = true
	}
}

// nextPing is when a way is probed next; Never: not before something else happens.
func (f *Finder) nextPing(now mono.Time, s *search, t *track) mono.Time {
	at := f.pingAt(now, s, t)
	if !at.IsNever() && at.Before(t.hold) {
		return t.hold
	}
	return at
}

func (f *Finder) pingAt(now mono.Time, s *search, t *track) mono.Time {
	switch {
	case !t.doubt.IsNever() && t.lost == 0:
		return t.doubt
	case !t.doubt.IsNever():
		return max(t.last.Add(urgent), t.doubt)
	case t.way.Relay != 0:
		return f.relayPingAt(now, s, t)
	case t.proven.IsNever():
		return unprovenPingAt(now, s, t)
	case t.way.same(s.chosen):
		return f.chosenPingAt(now, s, t)
	case s.flows(now, active):
		return t.last.Add(standby)
	}
	return mono.Never
}

func (f *Finder) relayPingAt(now mono.Time, s *search, t *track) mono.Time {
	chosen := s.find(s.chosen)
	switch {
	case !t.usable(f) || !s.flows(now, active):
		return mono.Never
	case chosen == t && t.last < s.chosenAt:
		return s.chosenAt
	case chosen == t:
		if !s.unanswered.IsNever() {
			return s.unanswered.Add(silence)
		}
		return t.last.Add(refresh)
	case !t.failed.IsNever():
		return t.last.Add(healEvery)
	case chosen != nil && !chosen.doubt.IsNever():
		return max(t.last.Add(2*urgent), chosen.doubt)
	}
	return mono.Never
}

func unprovenPingAt(now mono.Time, s *search, t *track) mono.Time {
	switch {
	case t.stale:
		return mono.Never
	case !t.from.IsNever() && t.tries < len(ladder):
		return t.from.Add(ladder[t.tries])
	case t.failed.IsNever() || !s.flows(now, active):
		return mono.Never
	case now.Sub(t.failed) < healFor:
		return t.last.Add(healEvery)
	}
	return t.last.Add(healSlowly)
}

func (f *Finder) chosenPingAt(now mono.Time, s *search, t *track) mono.Time {
	switch {
	case s.flows(now, active) && !s.unanswered.IsNever():
		return mono.Earlier(s.unanswered.Add(silence), t.last.Add(refresh))
	case s.flows(now, active):
		return t.last.Add(refresh)
	case s.flows(now, idleAfter):
		return max(t.last, s.sent).Add(f.keeps(t.way))
	}
	return mono.Never
}

// ping probes a way with a datagram of a size; 0: the shortest.
func (f *Finder) ping(now mono.Time, s *search, t *track, size int, out *Decisions) {
	unproven := t.way.Direct() && t.proven.IsNever()
	if unproven && !f.limit.take(now, t.way.Remote) {
		t.hold = now.Add(holdOff)
		return
	}
	if unproven && !t.from.IsNever() && t.tries < len(ladder) {
		t.tries++
	}
	p := ping{id: f.random(), at: now, size: size}
	t.pings[t.next] = p
	t.next = (t.next + 1) % len(t.pings)
	if size == 0 {
		t.last = now
		t.lost++
	}
	out.Sends = append(out.Sends, Send{Peer: s.id, Way: t.way, Message: disco.Message{Kind: disco.Ping, ID: p.id, Size: max(size, disco.MinPing)}})
}

// random returns a number that the peer cannot foresee.
func (f *Finder) random() uint64 {
	var b [8]byte
	if _, err := io.ReadFull(f.rnd, b[:]); err != nil {
		panic("path: the source of randomness failed: " + err.Error())
	}
	return binary.BigEndian.Uint64(b[:])
}

// noAddress stands in the pongs that go through relays, where a ping has no address.
var noAddress = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)

// pinged answers a ping and probes back where it came from, if that has proven nothing yet (RFC 8445, section 7.3.1.4).
func (f *Finder) pinged(now mono.Time, s *search, w Way, m disco.Message, out *Decisions) {
	t := f.arrived(now, s, w)
	if t == nil {
		return
	}
	s.touched, t.asked = now, now
	if w.same(s.chosen) || s.answersBy(w.Relay) {
		f.overhear(now, s, m.Size)
	}
	unproven := t.way.Direct() && t.proven.IsNever()
	seen := noAddress
	if w.Direct() {
		seen = w.Remote
	}
	if !unproven || f.pongs.take(now, w.Remote) {
		back := t.way
		back.Local = w.Local
		out.Sends = append(out.Sends, Send{Peer: s.id, Way: back, Message: disco.Message{Kind: disco.Pong, ID: m.ID, Size: max(m.Size, disco.MinPing), Addresses: []netip.AddrPort{seen}}})
	}
	switch {
	case unproven && now.Sub(t.last) >= triggerAfter:
		if t.from.IsNever() || t.tries >= len(ladder) || now.Before(t.from) {
			t.from, t.tries = now, 0
		}
		t.stale = false
		f.ping(now, s, t, 0, out)
	case t.way.same(s.chosen) && s.flows(now, time.Second) && t.doubt.IsNever() && now.Sub(max(t.proven, t.last)) >= confirmEvery:
		t.doubt, t.lost = now, 0 // the peer asks although we send: it may not hear us
	}
}

// ponged takes the answer to a ping. It proves the way on which the ping went, if it came back on it; or a relay, if it came back through any.
func (f *Finder) ponged(now mono.Time, s *search, w Way, m disco.Message, out *Decisions) {
	t := s.find(w)
	var p ping
	ok := false
	if t != nil {
		p, ok = t.pongFor(m.ID)
	}
	if !ok && w.Relay != 0 {
		t, p, ok = s.crossed(m.ID)
	}
	if !ok {
		if t, p, ok = f.guessed(s, w, m.ID); !ok {
			return
		}
	}
	rtt := max(now.Sub(p.at), time.Microsecond)
	if t.rtt == 0 || t.proven.IsNever() {
		t.rtt = rtt
	} else {
		t.rtt = (7*t.rtt + rtt) / 8
	}
	t.proven, t.doubt, t.failed, t.from, t.lost, t.spared = now, mono.Never, mono.Never, mono.Never, 0, false
	if w.Local.IsValid() {
		t.way.Local = w.Local
	}
	if len(m.Addresses) > 0 {
		t.ours = m.Addresses[0]
	}
	if t.way.same(s.chosen) {
		f.suspect(now, s, t)
		s.unanswered = mono.Never
	}
	if p.size > 0 {
		t.carries.passed(now, min(p.size, m.Size))
	}
	if w.Relay != 0 {
		s.hunt.rtt, t.back = rtt, w.Relay
	}
}
