package tunnel

import (
	"math/rand/v2"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/fit"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// This file is the way out, in the order in which a packet takes it:
//
//	run      read what the host sends: packets, or trains of one flow
//	super    whose it is, whether it may leave, whether it fits
//	send     split, number, seal in place beside each other
//	cut      or, where the path is a black hole, split and cut, number and seal one by one
//	flush    one system call for what goes to one place
//
// or, where there is no session yet, instead of send:
//
//	park     keep, and have the owner make a session

// outboundBuffer holds one train of the largest size while single packets are gathered before it.
const outboundBuffer = 2*(1<<16) + tun.Headroom + tun.Tailroom

// outboundSupers is how many packets one read gathers at most.
const outboundSupers = 64

const outboundMemory = outboundBuffer + batchMemory

// outbound is one worker: it owns one queue of the TUN device in this direction.
type outbound struct {
	t        *Tunnel
	queue    tun.Queue
	batch    *batch
	buf      []byte
	supers   []offload.Super
	splitter offload.Splitter
	notices  *notices
	cutter   fit.Cutter
	piece    []byte // what the cutter makes
	ids      uint32 // of what it cuts
}

func newOutbound(t *Tunnel, q *exit, b *batch) *outbound {
	return &outbound{t: t, queue: q.Queue, batch: b, buf: make([]byte, outboundBuffer), supers: make([]offload.Super, outboundSupers), notices: &notices{to: q},
		piece: make([]byte, 0, minInner), ids: rand.Uint32()}
}

// run works until the device or the socket ends.
func (w *outbound) run() error {
	for {
		n, err := w.queue.Read(w.buf, w.supers)
		if err != nil {
			return err
		}
		now := w.t.clock.Now()
		for i := range n {
			if err := w.super(now, &w.supers[i]); err != nil {
				return err
			}
		}
		if err := w.batch.flush(); err != nil {
			return err
		}
	}
}

// super sends one packet or train on its way.
func (w *outbound) super(now mono.Time, s *offload.Super) error {
	src, dst, ok := ends(s.Packet)
	if !ok {
		w.t.drop(BadPacket, 1)
		return nil
	}
	p := w.t.routes.peer(dst)
	switch {
	case p == nil:
		w.nobody(now, src, dst, s.Packet)
		w.t.drop(NoRoute, packets(s))
		return nil
	case !w.t.mine(src):
		w.t.drop(ForeignSource, packets(s))
		return nil
	case !w.t.allowsOut(now, p, s.Packet):
		w.t.drop(FilteredOut, packets(s))
		return nil
	}
	if s.Protocol == offload.None {
		fit.ClampMSS(s.Packet, w.t.fits(p), s.Partial)
	}
	if !w.fits(now, s, p) {
		return nil
	}
	w.splitter.Partial = false // what waits for a session, or is cut into fragments, is made whole
	if err := w.splitter.Start(s); err != nil {
		w.t.drop(BadPacket, 1)
		return nil
	}
	if limit := w.t.fits(p); w.t.mustCut(p, s.Packet, fit.Size(s), limit) {
		return w.cut(now, p, limit)
	}
	return w.send(now, p)
}

// nobody has the filter judge a packet to an address that no peer has, so that its log tells what was meant for a peer that the rules hide. What a
// host says to all in its reach is no news.
func (w *outbound) nobody(now mono.Time, src, dst address, packet []byte) {
	if f := w.t.filter.Load(); f != nil && w.t.mine(src) && dst.netip().IsGlobalUnicast() {
		(*f).Out(now, packet, len(packet), false)
	}
}

// packets is how many a super stands for.
func packets(s *offload.Super) int {
	if s.Protocol == offload.None || s.Segment <= 0 {
		return 1
	}
	return max(1, (len(s.Packet)-s.Headers+s.Segment-1)/s.Segment)
}

// fits reports whether a packet, or each of a train, passes the path. If not, its sender is told how much does.
func (w *outbound) fits(now mono.Time, s *offload.Super, p *Peer) bool {
	limit := w.t.fitsFor(p, s.Packet)
	if fit.Size(s) <= limit || mayFragment(s.Packet) { // it is the outer datagram that is fragmented
		return true
	}
	w.t.refuse(p, TooBig, packets(s))
	w.notices.tooBig(now, s.Packet, limit)
	return false
}

// cut seals the splitter's packets for a peer, in fragments where they are longer than the limit.
func (w *outbound) cut(now mono.Time, p *Peer, limit int) error {
	for range w.splitter.Count() {
		packet := w.splitter.Next()
		if len(packet) <= limit {
			if err := w.one(now, p, packet); err != nil {
				return err
			}
			continue
		}
		w.ids++
		if !w.cutter.Start(packet, limit, w.ids) {
			w.t.refuse(p, TooBig, 1)
			continue
		}
		for f := w.cutter.Next(w.piece[:0]); f != nil; f = w.cutter.Next(w.piece[:0]) {
			if err := w.one(now, p, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// one seals one packet, or keeps it until there is a session.
func (w *outbound) one(now mono.Time, p *Peer, packet []byte) error {
	if done, err := w.sealOne(now, p, packet); done {
		return err
	}
	p.waiting.mu.Lock()
	done, err := w.sealOne(now, p, packet) // a session that came at this very moment is used
	if !done {
		w.t.hold(p, packet)
	}
	p.waiting.mu.Unlock()
	if !done {
		w.t.owner.wish(p)
	}
	return err
}

func (w *outbound) sealOne(now mono.Time, p *Peer, packet []byte) (done bool, err error) {
	s, to := p.sealer.Load(), p.path.Load()
	if s == nil || to == nil {
		return false, nil
	}
	counter, ok := s.Reserve(now, 1)
	if !ok {
		return false, nil
	}
	size, err := w.batch.seal(s.Session, counter, packet, w.t.mtu(), to)
	p.tx.add(1, size)
	w.t.stir(p)
	if s.Sent(now) {
		w.t.owner.note(s.Session)
	}
	return true, err
}

// send seals the splitter's packets for a peer.
func (w *outbound) send(now mono.Time, p *Peer) error {
	n := w.splitter.Count()
	s, to := p.sealer.Load(), p.path.Load()
	if s == nil || to == nil {
		return w.park(now, p, n)
	}
	counter, ok := s.Reserve(now, n)
	if !ok {
		return w.park(now, p, n)
	}
	return w.seal(now, p, s, to, counter, n)
}

func (w *outbound) seal(now mono.Time, p *Peer, s *sealing, to *Path, counter uint64, n int) error {
	bytes, mtu := 0, w.t.mtu()
	w.splitter.Partial = s.partial
	for i := range n {
		size, err := w.batch.seal(s.Session, counter+uint64(i), w.splitter.Next(), mtu, to)
		if err != nil {
			return err
		}
		bytes += size
	}
	p.tx.add(n, bytes)
	w.t.stir(p)
	if s.Sent(now) {
		w.t.owner.note(s.Session)
	}
	return nil
}

// park keeps n packets until there is a session, and has one made. One that came at this very moment is used.
func (w *outbound) park(now mono.Time, p *Peer, n int) error {
	p.waiting.mu.Lock()
	if s, to := p.sealer.Load(), p.path.Load(); s != nil && to != nil {
		if counter, ok := s.Reserve(now, n); ok {
			p.waiting.mu.Unlock()
			return w.seal(now, p, s, to, counter, n)
		}
	}
	for range n {
		w.t.hold(p, w.splitter.Next())
	}
	p.waiting.mu.Unlock()
	w.t.owner.wish(p)
	return nil
}
