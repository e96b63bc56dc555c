package tunnel

import "github.com/cvlan/cvlan/internal/base/mono"

// maxWaiting is how many packets of one peer wait for a session; the oldest go first.
const maxWaiting = 128

// hold keeps a copy of a packet until its peer has a session. The peer's waiting is locked.
func (t *Tunnel) hold(p *Peer, packet []byte) {
	w := &p.waiting
	if w.gone {
		t.refuse(p, NoRoute, 1)
		return
	}
	if len(w.packets) == maxWaiting {
		t.budget.giveBack(w.packets[0])
		w.packets = append(w.packets[:0], w.packets[1:]...)
		t.refuse(p, NoSession, 1)
	}
	var slot []byte
	if room := t.slotSize(); len(packet) <= room {
		slot = t.budget.slot(room)
	}
	if slot == nil {
		t.refuse(p, NoMemory, 1)
		return
	}
	w.packets = append(w.packets, slot[:copy(slot, packet)])
}

// release sends what waits for a session that has come, before anything newer: who finds the peer without one waits for the lock. The
// session is published in between.
func (t *Tunnel) release(now mono.Time, p *Peer, s *sealing, b *batch) error {
	w := &p.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	defer p.sealer.Store(s)
	to := p.path.Load()
	n := len(w.packets)
	if n == 0 || to == nil {
		return nil
	}
	counter, ok := s.Reserve(now, n)
	if !ok {
		return nil
	}
	defer w.clear(t.budget)
	bytes := 0
	for i, packet := range w.packets {
		size, err := b.seal(s.Session, counter+uint64(i), packet, t.mtu(), to)
		if err != nil {
			return err
		}
		bytes += size
	}
	p.tx.add(n, bytes)
	if s.Sent(now) {
		t.owner.note(s.Session)
	}
	return b.flush()
}

// forsake drops what waits.
func (t *Tunnel) forsake(p *Peer, why Reason) {
	p.waiting.mu.Lock()
	defer p.waiting.mu.Unlock()
	if n := len(p.waiting.packets); n > 0 {
		t.refuse(p, why, n)
	}
	p.waiting.clear(t.budget)
}

// abandon drops what waits for a peer that is removed, and what a worker that still holds it would let wait.
func (t *Tunnel) abandon(p *Peer) {
	p.waiting.mu.Lock()
	p.waiting.gone = true
	p.waiting.mu.Unlock()
	t.forsake(p, NoRoute)
}

// len is how many packets wait.
func (w *waiting) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.packets)
}

// clear gives all slots back.
func (w *waiting) clear(b *Budget) {
	for _, packet := range w.packets {
		b.giveBack(packet)
	}
	w.packets = nil
}
