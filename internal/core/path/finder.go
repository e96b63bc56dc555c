package path

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// Finder knows the ways to all peers of one membership. It is not safe for concurrent use.
type Finder struct {
	rnd     io.Reader
	guess   bool
	refuse  refusal
	own     Own
	ownAt   mono.Time
	peers   map[Peer]*peer
	queue   queue
	links   [MaxSlots + 1]bool // which relays are up
	limit   limiter            // of pings,
	pongs   limiter            // and of their answers
	guesses guesses
	keep    time.Duration // between keepalives
	worn    time.Duration // at most, because a way was lost that was kept open less often; 0: none was
	offers  uint64        // generation of the latest offer
	restun  mono.Time     // when the latest Restun was asked for

	restunWanted bool
	owners       map[uint16]*search
	changed      mono.Time // when our network changed last
}

// MaxSlots is the highest slot of a relay.
const MaxSlots = 8

// peer is all that a silent peer costs.
type peer struct {
	known  Known
	search *search // nil: nothing was wanted lately
}

// NewFinder makes a Finder. Generations of offers begin at epoch: milliseconds of the wall clock.
func NewFinder(cfg Config, epoch uint64, rnd io.Reader) *Finder {
	f := &Finder{rnd: rnd, guess: cfg.Guess, peers: map[Peer]*peer{}, owners: map[uint16]*search{}, offers: epoch, keep: keepEvery}
	f.refuse.prefixes = cfg.Refused
	return f
}

// SetPeer tells what the map says about a peer, new or changed.
func (f *Finder) SetPeer(now mono.Time, id Peer, known Known, out *Decisions) {
	p := f.peers[id]
	if p == nil {
		p = &peer{}
		f.peers[id] = p
	}
	p.known = known
	if s := p.search; s != nil {
		f.learn(s, known.Candidates)
		s.mapRelays()
		f.see(now, s)
		f.choose(now, s, out)
		f.wake(now, s, now)
	}
}

// RemovePeer forgets a peer.
func (f *Finder) RemovePeer(now mono.Time, id Peer, out *Decisions) {
	p := f.peers[id]
	if p == nil {
		return
	}
	if p.search != nil {
		f.drop(p.search, out)
	}
	delete(f.peers, id)
}

// Own tells what we know about ourselves. Peers that we speak with hear of it.
func (f *Finder) Own(now mono.Time, own Own, out *Decisions) {
	f.own, f.ownAt = own, now
	f.refuse.setOwn(own)
	f.pace()
	for _, s := range f.queue.all() {
		s.tellAt = mono.Earlier(s.tellAt, now)
		f.wake(now, s, now)
	}
}

// pace decides how often ways are kept open: as often as what was measured of our NAT demands, and as what was lost has shown.
func (f *Finder) pace() {
	f.keep = keepEvery
	switch l := f.own.Lifetime; {
	case l >= keepEvery:
		f.keep = min(l*4/5, keepMost)
	case l > 0:
		f.keep = max(l*2/3, keepLeast)
	}
	if f.worn > 0 {
		f.keep = min(f.keep, f.worn)
	}
}

// keeps is how often a way is kept open. What was measured is a NAT's memory, which is IPv4's: of a firewall's for IPv6 no more is believed than of any.
func (f *Finder) keeps(w Way) time.Duration {
	if w.Remote.Addr().Is6() {
		return min(f.keep, keepEvery)
	}
	return f.keep
}

// Relay tells that a link to a relay is usable, or not any more.
func (f *Finder) Relay(now mono.Time, slot uint8, up bool, out *Decisions) {
	if slot == 0 || slot > MaxSlots || f.links[slot] == up {
		return
	}
	f.links[slot] = up
	for _, s := range f.queue.all() {
		s.mapRelays()
		f.see(now, s)
		f.choose(now, s, out)
		f.wake(now, s, now)
	}
}

// Vacant tells that a slot has no link any more. What is known of ways through it says nothing of the relay that gets the slot next.
func (f *Finder) Vacant(now mono.Time, slot uint8, out *Decisions) {
	if slot == 0 || slot > MaxSlots {
		return
	}
	f.links[slot] = false
	for _, s := range f.queue.all() {
		if i := slices.IndexFunc(s.tracks, func(t *track) bool { return t.way.Relay == slot }); i >= 0 {
			s.tracks = slices.Delete(s.tracks, i, i+1)
			f.choose(now, s, out)
			f.wake(now, s, now)
		}
	}
}

// Wanted tells that traffic wants a way to a peer. It chooses a relay at once if one is up.
func (f *Finder) Wanted(now mono.Time, id Peer, out *Decisions) {
	if s := f.search(now, id); s != nil {
		s.sent = now
		f.begin(now, s, out)
	}
}

// Sent tells that data goes to a peer, and how many bytes went since it was told last: about every 100 ms while it does.
func (f *Finder) Sent(now mono.Time, id Peer, bytes int, out *Decisions) {
	s := f.search(now, id)
	if s == nil {
		return
	}
	if s.unanswered.IsNever() {
		s.unanswered = now
	}
	s.sent = now
	if bytes > leastSize-relayHeader {
		s.long = now
	}
	f.begin(now, s, out)
}

// Heard tells that authentic data of a peer came on a way: about every 100 ms while it does.
func (f *Finder) Heard(now mono.Time, id Peer, w Way, out *Decisions) {
	s := f.search(now, id)
	if s == nil {
		return
	}
	w = w.plain()
	s.heard = now
	if t := f.arrived(now, s, w); t != nil {
		t.heard = now
		if t.way.same(s.chosen) || s.answersBy(t.way.Relay) {
			s.unanswered, s.apart = mono.Never, mono.Never
		} else {
			f.heardElsewhere(now, s, t)
		}
	}
	f.wake(now, s, now)
}

// Message takes what a peer said on a way.
func (f *Finder) Message(now mono.Time, id Peer, w Way, m disco.Message, out *Decisions) {
	s := f.search(now, id)
	if s == nil {
		return
	}
	w = w.plain()
	if t := s.find(w); t != nil && t.spare(now) {
		f.ping(now, s, t, 0, out)
	}
	switch m.Kind {
	case disco.Ping:
		f.pinged(now, s, w, m, out)
	case disco.Pong:
		f.ponged(now, s, w, m, out)
	case disco.Offer:
		f.offered(now, s, w, m, out)
	case disco.PathMTU:
		f.arrivedShort(now, s, w, m)
	default:
		return
	}
	f.choose(now, s, out)
	f.wake(now, s, now)
}

// Left tells that what was to be said on a way, which had to wait for a lane through a relay, goes only now: round trips begin now.
func (f *Finder) Left(now mono.Time, id Peer, w Way) {
	p := f.peers[id]
	if p == nil || p.search == nil {
		return
	}
	t := p.search.find(w.plain())
	if t == nil {
		return
	}
	for i := range t.pings {
		if !t.pings[i].at.IsNever() {
			t.pings[i].at = now
		}
	}
}

// Punch tells that the controller has both sides start now.
func (f *Finder) Punch(now mono.Time, id Peer, out *Decisions) {
	s := f.search(now, id)
	if s == nil || s.hunt.phase != resting && f.bestRelay(s) != nil { // what is agreed through a relay is better
		return
	}
	f.start(now, now, s, out)
	s.hunt.blind = f.bestRelay(s) == nil
	f.wake(now, s, now)
}

// TooBig tells that the system says that a datagram was too long for a way. It is a hint only: probes decide.
func (f *Finder) TooBig(now mono.Time, id Peer, w Way, out *Decisions) {
	if p := f.peers[id]; p != nil && p.search != nil {
		f.tooBig(now, p.search, w.plain(), 0)
		f.wake(now, p.search, now)
	}
}

// Wake tells that our network may be another than before: what is proven must be proven again.
func (f *Finder) Wake(now mono.Time, _ Cause, out *Decisions) {
	f.changed, f.own.Lifetime, f.worn = now, 0, 0
	f.pace()
	f.askRestun(now, out)
	for _, s := range f.queue.all() {
		s.doubtAll(now)
		f.choose(now, s, out)
		f.wake(now, s, now)
	}
}

// SocketOpened answers OpenSockets: a socket is there and, if mapped is valid, seen at that address from outside.
func (f *Finder) SocketOpened(now mono.Time, id Peer, socket uint16, mapped netip.AddrPort, out *Decisions) {
	p := f.peers[id]
	if p == nil || p.search == nil || socket == 0 || !p.search.awaitsSocket() {
		out.Events = append(out.Events, Event{Kind: CloseSocket, Peer: id, Way: Way{Socket: socket}})
		return
	}
	f.owners[socket] = p.search
	f.opened(now, p.search, socket, mapped, out)
	f.wake(now, p.search, now)
}

// SocketClosed tells that a socket is gone.
func (f *Finder) SocketClosed(now mono.Time, socket uint16, out *Decisions) {
	s := f.owners[socket]
	if s == nil {
		return
	}
	delete(f.owners, socket)
	s.forgetSocket(socket)
	f.choose(now, s, out)
	f.wake(now, s, now)
}

// Deadline is when Tick wants to be called; Never: not before the next input.
func (f *Finder) Deadline() mono.Time { return f.queue.first() }

// Tick does what is due.
func (f *Finder) Tick(now mono.Time, out *Decisions) {
	for s := f.queue.due(now); s != nil; s = f.queue.due(now) {
		f.step(now, s, out)
	}
}
