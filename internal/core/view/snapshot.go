package view

// snapshot is the peers of a network, encoded for all newcomers.
type snapshot struct {
	to     Cursor
	moves  uint64 // network.moves when it was made
	pieces [][]byte
	chunks [][]*member // who is in which piece
}

// staleShare says how much may change until a snapshot is made anew: one part in so many of the network's members. The rest
// reaches a newcomer as a delta.
const staleShare = 16

// usable reports whether m may still begin with the snapshot. No deletion of a node since can have been forgotten: there was none.
func (s *snapshot) usable(m *member) bool {
	w := m.network
	return s != nil && w.moves-s.moves <= uint64(len(w.members)/staleShare) && s.to.Hard >= m.floor()
}

// snapshot returns all pieces of a snapshot for m, and the position that it leads to.
func (v *View) snapshot(m *member) ([][]byte, Cursor) {
	p := &v.pieces
	if !m.sees() {
		to := v.Cursor()
		v.greet(p, m, to)
		return p.end(false), to
	}
	w := m.network
	if !w.first.usable(m) {
		w.first = v.takeSnapshot(w)
	}
	s := w.first
	v.greet(p, m, s.to)
	own := m.chunk - 1
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

// greet begins a snapshot with what is the receiver's own.
func (v *View) greet(p *pieces, m *member, to Cursor) {
	p.begin(v.cfg.Piece, nil, to)
	p.buf = appendTrue(p.buf, mapSnapshot)
	p.network(m.network.field)
	p.buf = appendSelf(p.buf, m.self(), m.pending) // with the network, whatever the length: a snapshot begins once
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

// takeSnapshot encodes the peers of a network, in pieces.
func (v *View) takeSnapshot(w *network) *snapshot {
	s := &snapshot{to: v.Cursor(), moves: w.moves}
	p := &v.pieces
	p.begin(v.cfg.Piece, nil, s.to)
	var chunk []*member
	for _, m := range w.members {
		m.chunk = 0
		if !m.shown {
			continue
		}
		if p.peer(m); len(p.out) > len(s.chunks) { // the piece before m is full
			s.chunks = append(s.chunks, chunk)
			chunk = nil
		}
		chunk = append(chunk, m)
		m.chunk = len(s.chunks) + 1
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
