package view

// delta is what changed between two positions, as frames.
type delta struct {
	some   bool // false: the frame is empty
	pieces [][]byte
}

// audience are those who are told the same of what does not speak of them: they stand at one position and at one place in policy.
type audience struct {
	from  Cursor // where they stand
	base  Cursor // the same or later: until then nothing concerned them
	sees  bool   // they see peers
	now   stand
	was   stand  // at the position
	rules uint64 // the name of the rules that they lack; 0: none
}

// Bounds of the deltas to the present position that a network keeps.
const (
	maxShared      = 1024
	maxSharedBytes = 16 << 20
)

// maxSharedPieces bounds what is kept of one; a longer delta is made for each who needs it.
const maxSharedPieces = 16

// shared are the deltas that do not speak of their receiver, so that all of one audience get the same bytes.
type shared struct {
	to     Cursor
	deltas map[audience]*delta
	bytes  int
}

func (s *shared) find(a audience, to Cursor) *delta {
	if s.to != to {
		return nil
	}
	return s.deltas[a]
}

func (s *shared) keep(a audience, d *delta, to Cursor) {
	if s.to != to || s.bytes > maxSharedBytes || len(s.deltas) >= maxShared {
		clear(s.deltas)
		s.to, s.bytes = to, 0
		if s.deltas == nil {
			s.deltas = map[audience]*delta{}
		}
	}
	for _, p := range d.pieces {
		s.bytes += len(p)
	}
	s.deltas[a] = d
}

// delta returns what changed for m since a position from which a delta is possible, as a frame for who stands at from; between the two
// nothing did. rules are what m may do if it does not know, under their name.
func (v *View) delta(m *member, from, base Cursor, name uint64, rules []byte) *delta {
	w, to := m.network, v.Cursor()
	g := m.gaze(base.Hard)
	a := audience{from: from, base: base, sees: m.sees(), now: g.now, was: g.was}
	if rules != nil {
		a.rules = name
	}
	if v.concerns(m, base) {
		return v.build(w, m, &a, &g, rules, to)
	}
	if d := w.shared.find(a, to); d != nil {
		return d
	}
	d := v.build(w, nil, &a, &g, rules, to)
	if len(d.pieces) <= maxSharedPieces {
		w.shared.keep(a, d, to)
	}
	return d
}

// quiet reports, without a walk, that a delta since a position would be empty. It may miss that.
func (v *View) quiet(m *member, from Cursor) bool {
	w := m.network
	if w.version > from.Hard || m.version > from.Hard || m.sees() && (from.Hard < m.floor() || from.Hard < m.shelf.newest()) {
		return false
	}
	if n := len(w.turns); n > 0 && from.Hard < w.turns[n-1].until || from.Hard < w.blind {
		return false
	}
	if n := len(m.past); n > 0 && from.Hard < m.past[n-1].until {
		return false
	}
	if v.trust.version > from.Soft {
		return false
	}
	return !m.sees() || v.relays.version <= from.Soft && w.list[byHard].newest() <= from.Hard && w.list[bySoft].newest() <= from.Soft
}

// lags reports whether a position is so far behind that it is better to move a node on that lacks nothing, before what it saw then is
// forgotten.
func (w *network) lags(hard uint64) bool {
	return len(w.turns) > maxPast/2 && hard < w.turns[len(w.turns)-1-maxPast/2].until
}

// concerns reports whether the delta since a position speaks of m or of its plain devices, or would if it were not the receiver.
func (v *View) concerns(m *member, from Cursor) bool {
	return m.version > from.Hard || m.versions[byHard] > from.Hard || m.versions[bySoft] > v.softSince(from) || m.sees() && m.shelf.newest() > from.Hard
}

// softSince returns the soft version from which the holder of a cursor has to be told.
func (v *View) softSince(from Cursor) uint64 {
	if v.otherBoot(from) {
		return 0
	}
	return from.Soft
}

func (v *View) otherBoot(from Cursor) bool { return from.Boot != v.cfg.Boot || from.Soft > v.soft }

// build encodes a delta, for m alone or, if m is nil, for all of whom it does not speak.
func (v *View) build(w *network, m *member, a *audience, g *gaze, rules []byte, to Cursor) *delta {
	p := &v.pieces
	p.begin(v.cfg.Piece, &a.from, to)
	if w.version > a.base.Hard {
		p.network(w.field)
	}
	if m != nil && max(m.version, m.versions[byHard]) > a.base.Hard {
		p.self(m)
	}
	if rules != nil {
		p.rules(a.rules, rules)
	}
	if v.distrusts(a.base) {
		p.trust(&v.trust)
	}
	if a.sees {
		v.buildPeers(p, w, m, a.base, g)
	}
	if a.sees && m != nil {
		for _, d := range m.shelf.since(a.base.Hard) {
			p.plain(d)
		}
	}
	return &delta{p.some, p.end(false)}
}

func (v *View) buildPeers(p *pieces, w *network, m *member, from Cursor, g *gaze) {
	if v.relays.version > v.softSince(from) || v.otherBoot(from) {
		p.relays(&v.relays)
	}
	v.builds++
	v.walk = w.list[byHard].since(v.walk[:0], from.Hard)
	for _, peer := range v.walk {
		if peer != m {
			v.buildPeer(p, peer, g, true)
		}
	}
	if g.turned(w) { // what many are told alike may show each of them itself, which it ignores
		for _, peer := range w.members {
			if peer != m && peer.versions[byHard] <= from.Hard {
				v.buildPeer(p, peer, g, false)
			}
		}
	}
	v.walk = w.list[bySoft].since(v.walk[:0], v.softSince(from))
	for _, peer := range v.walk {
		if peer != m && peer.gained != v.builds && peer.viewed(g.now) && (peer.soft != nil || !v.otherBoot(from)) {
			p.soft(peer)
		}
	}
}

// buildPeer tells of a peer what a viewer lacks. changed says that the peer itself has changed since.
func (v *View) buildPeer(p *pieces, peer *member, g *gaze, changed bool) {
	saw := g.saw(peer)
	switch {
	case !peer.viewed(g.now):
		if saw != no && (changed || peer.shown) {
			p.remove(peer)
		}
	case saw != yes:
		p.upsert(peer)
		if peer.soft != nil {
			p.soft(peer)
			peer.gained = v.builds
		}
	case changed:
		p.upsert(peer)
	}
}
