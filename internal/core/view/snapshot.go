package view

// snapshot is the peers that one stand sees, encoded for all newcomers who see the same.
type snapshot struct {
	to     Cursor
	moves  uint64 // network.moves when it was made
	pieces [][]byte
	chunks [][]*member // who is in which piece
}

// snapshots are those that may still be used.
type snapshots struct {
	by    map[stand]*snapshot
	bytes int // of all pieces
}

// maxSnapshots bounds what a network keeps of them, in bytes; one is kept whatever its length.
const maxSnapshots = 64 << 20

// clear forgets all: somebody was hidden, and nobody is to be shown a node that is gone.
func (s *snapshots) clear() { *s = snapshots{} }

func (s *snapshots) keep(by stand, x *snapshot) {
	n := 0
	for _, p := range x.pieces {
		n += len(p)
	}
	if s.by == nil || s.bytes+n > maxSnapshots {
		*s = snapshots{by: map[stand]*snapshot{}}
	}
	if s.by[by] == nil {
		s.bytes += n // of one that is made anew the length of the old is counted twice: it is made anew rarely
	}
	s.by[by] = x
}

// staleShare says how much may change until a snapshot is made anew: one part in so many of the network's members. The rest
// reaches a newcomer as a delta.
const staleShare = 16

// usable reports whether m may still begin with the snapshot. No deletion of a node since can have been forgotten: there was none.
func (s *snapshot) usable(m *member) bool {
	w := m.network
	return s != nil && w.moves-s.moves <= uint64(len(w.members)/staleShare) && s.to.Hard >= m.floor() && m.reaches(s.to.Hard)
}

// snapshot returns all pieces of a snapshot for m, and the position that it leads to.
func (v *View) snapshot(m *member, name uint64, rules []byte) ([][]byte, Cursor) {
	p := &v.pieces
	if !m.sees() {
		to := v.Cursor()
		v.greet(p, m, to, name, rules)
		return p.end(false), to
	}
	w, by := m.network, m.viewer()
	s := w.firsts.by[by]
	if !s.usable(m) {
		s = v.takeSnapshot(w, by)
		w.firsts.keep(by, s)
	}
	v.greet(p, m, s.to, name, rules)
	own := s.find(m)
	if own < 0 {
		return append(p.end(true), s.pieces...), s.to
	}
	var out [][]byte
	if own > 0 {
		out = append(p.end(true), s.pieces[:own]...)
		p.begin(v.cfg.Piece, nil, s.to)
	}
	for _, peer := range s.chunks[own] {
		if peer != m {
			p.peer(peer)
		}
	}
	out = append(out, p.end(own < len(s.pieces)-1)...)
	return append(out, s.pieces[own+1:]...), s.to
}

// find returns the piece that m is in; -1 if it is in none.
func (s *snapshot) find(m *member) int {
	for i, chunk := range s.chunks {
		for _, c := range chunk {
			if c == m {
				return i
			}
		}
	}
	return -1
}

// greet begins a snapshot with what is the receiver's own.
func (v *View) greet(p *pieces, m *member, to Cursor, name uint64, rules []byte) {
	p.begin(v.cfg.Piece, nil, to)
	p.buf = appendTrue(p.buf, mapSnapshot)
	p.network(m.network.field)
	p.buf = appendSelf(p.buf, m.self(), m.pending) // with the network, whatever the length: a snapshot begins once
	if rules != nil {
		p.rules(name, rules)
	}
	if v.trust.field != nil {
		p.trust(&v.trust)
	}
	if !m.sees() {
		return
	}
	if v.relays.field != nil {
		p.relays(&v.relays)
	}
	for _, d := range m.shelf.since(0) { // as they are now; what is newer than the position comes again with the next delta
		if d.entry != nil {
			p.plain(d)
		}
	}
}

// takeSnapshot encodes the peers that a viewer sees, in pieces.
func (v *View) takeSnapshot(w *network, by stand) *snapshot {
	s := &snapshot{to: v.Cursor(), moves: w.moves}
	p := &v.pieces
	p.begin(v.cfg.Piece, nil, s.to)
	var chunk []*member
	for _, m := range w.members {
		if !m.viewed(by) {
			continue
		}
		if p.peer(m); len(p.out) > len(s.chunks) { // the piece before m is full
			s.chunks = append(s.chunks, chunk)
			chunk = nil
		}
		chunk = append(chunk, m)
	}
	s.chunks = append(s.chunks, chunk)
	s.pieces = p.end(false)
	return s
}

// peer appends a peer and its soft state, in the same piece.
func (p *pieces) peer(m *member) {
	p.room(len(m.peer) + len(m.soft) + 8)
	p.buf = appendBytes(p.buf, mapUpsert, m.peer)
	if m.soft != nil {
		p.buf = appendBytes(p.buf, mapSoft, m.soft)
	}
}
