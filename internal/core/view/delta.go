package view

// delta is what changed between two positions, as frames.
type delta struct {
	from   Cursor
	sees   bool // for those who see peers
	some   bool // false: the frame is empty
	pieces [][]byte
}

// sharedDeltas is how many deltas to the present position a network keeps: one for each position where many nodes stand.
const sharedDeltas = 8

// maxSharedPieces bounds what is kept of one; a longer delta is made for each who needs it.
const maxSharedPieces = 16

// shared are the deltas that do not speak of their receiver, so that all who stand at one position get the same bytes.
type shared struct {
	to     Cursor
	deltas [sharedDeltas]delta
	n      int // how many have been kept; the next one goes to n modulo sharedDeltas
}

func (s *shared) find(from, to Cursor, sees bool) *delta {
	if s.to != to {
		return nil
	}
	for i := range min(s.n, sharedDeltas) {
		if d := &s.deltas[i]; d.from == from && d.sees == sees {
			return d
		}
	}
	return nil
}

func (s *shared) keep(d delta, to Cursor) *delta {
	if s.to != to {
		*s = shared{to: to}
	}
	at := &s.deltas[s.n%sharedDeltas]
	*at = d
	s.n++
	return at
}

// delta returns what changed for m since a position from which a delta is possible.
func (v *View) delta(m *member, from Cursor) *delta {
	w, to := m.network, v.Cursor()
	if v.concerns(m, from) {
		d := v.build(w, m, from, to, m.sees())
		return &d
	}
	if d := w.shared.find(from, to, m.sees()); d != nil {
		return d
	}
	d := v.build(w, nil, from, to, m.sees())
	if len(d.pieces) > maxSharedPieces {
		return &d
	}
	return w.shared.keep(d, to)
}

// quiet reports, without a walk, that a delta since a position would be empty. It may miss that.
func (v *View) quiet(m *member, from Cursor) bool {
	w := m.network
	if w.version > from.Hard || m.version > from.Hard || m.sees() && (from.Hard < m.floor() || from.Hard < m.shelf.newest()) {
		return false
	}
	return !m.sees() || v.relays.version <= from.Soft && w.list[byHard].newest() <= from.Hard && w.list[bySoft].newest() <= from.Soft
}

// concerns reports whether the delta since a position speaks of m or of its plain devices, or would if it were not the receiver.
func (v *View) concerns(m *member, from Cursor) bool {
	return m.version > from.Hard || m.versions[bySoft] > v.softSince(from) || m.sees() && m.shelf.newest() > from.Hard
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
func (v *View) build(w *network, m *member, from, to Cursor, sees bool) delta {
	p := &v.pieces
	p.begin(v.cfg.Piece, &from, to)
	if w.version > from.Hard {
		p.network(w.field)
	}
	if m != nil && m.version > from.Hard {
		p.self(m)
	}
	if sees {
		v.buildPeers(p, w, m, from)
	}
	if sees && m != nil {
		for _, d := range m.shelf.since(from.Hard) {
			p.plain(d)
		}
	}
	return delta{from, sees, p.some, p.end(false)}
}

func (v *View) buildPeers(p *pieces, w *network, m *member, from Cursor) {
	if v.relays.version > v.softSince(from) || v.otherBoot(from) {
		p.relays(&v.relays)
	}
	v.walk = w.list[byHard].since(v.walk[:0], from.Hard)
	for _, peer := range v.walk {
		switch {
		case peer == m:
		case peer.shown:
			p.upsert(peer)
		default:
			p.remove(peer)
		}
	}
	v.walk = w.list[bySoft].since(v.walk[:0], v.softSince(from))
	for _, peer := range v.walk {
		if peer != m && peer.shown && (peer.soft != nil || !v.otherBoot(from)) {
			p.soft(peer)
		}
	}
}
