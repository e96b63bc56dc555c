package tunnel

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/fit"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

// This file is the way in, in the order in which a datagram takes it:
//
//	run      receive trains of datagrams
//	train    what each datagram is (demux.go): data, a message for the owner, or what a relay delivers
//	data     whose session, open in place, whether its sender may use that inner address
//	flush    join what continues, ask the filter, one system call for each joined packet

const (
	// inboundTrains is how many trains one system call receives at most.
	inboundTrains = 32
	// inboundPackets is how many packets are joined at most before they are written.
	inboundPackets = 512
	// inboundEnough is how much is joined before it is written, though more has come: it shall still be in the core's cache.
	inboundEnough = 1 << 16
	// inboundMost is how much is joined while a run may still grow. Sealed, a train of the largest size is more than one datagram train
	// carries: its last packets come with the beginning of the next. Written too early it would be two for the host.
	inboundMost = 3 << 16

	inboundBuffer = 1 << 16
	inboundMemory = inboundTrains * inboundBuffer
)

// inbound is one worker: it owns one socket in this direction.
type inbound struct {
	t       *Tunnel
	sock    sock.Socket
	exit    *exit
	trains  []sock.Train
	joiner  *offload.Joiner
	joined  Class     // that all joined packets came by
	place   place     // where the last train came from
	sender  *expected // whose frame a relay delivered last
	behind  place     // where that one is
	waited  mono.Time // when the owner was waited for last
	source  address
	owner   *Peer // to whom source belongs
	sharing sharing
	early   []premature
	spare   *spare // nil: the socket is one of the tunnel's own
}

// batchOf is what the datagrams of one train that belong to one session come to.
type batchOf struct {
	from    *receiving
	at      *place // where they came from
	index   uint32
	class   Class
	packets int
	bytes   int
	data    bool
}

// receiving is what a session's index leads to.
type receiving struct {
	Session
	peer *Peer
	used atomic.Bool // something was received
}

func newInbound(t *Tunnel, s sock.Socket, q *exit, trains, buffer, joins int) *inbound {
	return &inbound{t: t, sock: s, exit: q, trains: newTrains(trains, buffer), joiner: offload.NewJoiner(joins, t.joins...)}
}

func newTrains(n, buffer int) []sock.Train {
	all := make([]sock.Train, n)
	for i := range all {
		all[i].Data = make([]byte, buffer)
	}
	return all
}

// run works until the socket or the device ends.
func (w *inbound) run() error {
	faults := 0
	for {
		w.grow()
		for i := range w.trains {
			w.trains[i].Data = w.trains[i].Data[:cap(w.trains[i].Data)]
		}
		n, err := w.sock.Receive(w.trains)
		switch {
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			if faults++; faults > patience {
				return err
			}
			continue
		}
		faults = 0
		now := w.t.clock.Now()
		if len(w.early) > 0 {
			w.resume(now)
		}
		for i := range n {
			w.train(now, &w.trains[i])
			if w.enough() {
				if err := w.flush(now); err != nil {
					return err
				}
			}
		}
		if err := w.flush(now); err != nil {
			return err
		}
	}
}

// enough reports whether what is joined is to be written, though more has come.
func (w *inbound) enough() bool {
	n := w.joiner.Bytes()
	return n >= inboundMost || n >= inboundEnough && !w.joiner.Growing()
}

// patience is how many errors in a row a socket may have.
const patience = 100

// train takes the datagrams of one train.
func (w *inbound) train(now mono.Time, t *sock.Train) {
	if t.Remote != w.place.remote || t.Local != w.place.local {
		w.place = w.t.placeOf(t.Remote, t.Local, w.spare)
	}
	var b batchOf
	for rest, size := t.Data, t.Segment; len(rest) > 0; {
		if size <= 0 || size > len(rest) {
			size = len(rest)
		}
		w.datagram(now, rest[:size:size], &w.place, &b)
		rest = rest[size:]
	}
	w.received(now, &b)
}

// datagram takes one that came from a place.
func (w *inbound) datagram(now mono.Time, datagram []byte, at *place, b *batchOf) {
	switch c := classify(datagram); {
	case c.data():
		w.data(now, c, datagram, at, b)
	case c == Relay && at.peer == nil:
		w.frame(now, datagram, b)
	case c == NATKeepalive: // nothing is to be done (RFC 3948 §2.3)
	case c == Unknown || c == Relay:
		w.t.drop(Unclaimed, 1)
	default:
		w.message(now, c, datagram, at)
	}
}

// message hands on what the owner is to decide about.
func (w *inbound) message(now mono.Time, c Class, datagram []byte, at *place) {
	if !w.sharing.allows(now, w.t.owner.crowd, w.t.seed, at.origin().Addr.Addr()) {
		w.t.drop(Crowded, 1)
		return
	}
	w.t.owner.hand(c, at, datagram)
}

// frame takes what a relay says, or delivers.
func (w *inbound) frame(now mono.Time, frame []byte, b *batchOf) {
	number, tag, datagram, err := relay.ReadDeliver(frame)
	if err != nil {
		w.message(now, Relay, frame, &w.place)
		return
	}
	x, ok := w.t.expected.get(address{uint64(number), uint64(tag)})
	if !ok || x.from != w.place.remote && x.slot != w.place.slot {
		w.t.drop(UnknownSender, 1)
		return
	}
	if x != w.sender {
		w.received(now, b) // it speaks of the sender before
		*b = batchOf{}
		w.sender, w.behind = x, w.t.relayed(x.peer, x.slot)
	}
	w.datagram(now, datagram, &w.behind, b)
}

// data opens a datagram that carries a packet.
func (w *inbound) data(now mono.Time, c Class, datagram []byte, at *place, b *batchOf) {
	index := c.index(datagram)
	if b.from == nil || b.index != index || b.class != c || b.at != at {
		w.received(now, b)
		r, ok := w.t.sessions[c].get(address{lo: uint64(index)})
		if !ok {
			if c != ESP || !w.hold(now, datagram, at) {
				w.t.drop(UnknownIndex, 1)
			}
			*b = batchOf{}
			return
		}
		*b = batchOf{from: r, at: at, index: index, class: c}
	}
	packet, why := b.from.Open(now, datagram)
	if why != OK {
		w.t.refuse(b.from.peer, why, 1)
		if why == Lent {
			w.again(now, datagram, at, b.from.Session)
		}
		return
	}
	b.packets++
	b.bytes += len(datagram)
	if len(packet) == 0 {
		return
	}
	b.data = true
	if packet = trim(packet); packet == nil {
		w.t.refuse(b.from.peer, BadPacket, 1)
		return
	}
	if !w.owns(b.from.peer, packet) {
		w.t.refuse(b.from.peer, Spoofed, 1)
		return
	}
	fit.ClampMSS(packet, w.t.fits(b.from.peer), false)
	if c != w.joined { // the filter is to know by what all of a train came
		w.flush(now) // the next flush sees an error again, should there be one
		w.joined = c
	}
	if !w.joiner.Add(packet) {
		w.flush(now) // the next flush sees an error again, should there be one
		w.joiner.Add(packet)
	}
}

// lendsWithin is how often the owner is waited for while it lends a session.
const lendsWithin = 10

// again has a datagram come once more, because the kernel is to open it, and did not when it came. The owner may be about to lend the
// session at this moment: that is waited for. What comes here even so is lost soon after.
func (w *inbound) again(now mono.Time, datagram []byte, at *place, s Session) {
	if s, ok := s.(Lendable); ok {
		_, to, direct := at.direct()
		if !direct {
			to = netip.Addr{}
		}
		s.Stray(to)
	}
	switch {
	case now.Sub(w.waited) < waitEvery:
		w.t.owner.note(s)
	case at.remote.Addr() == at.local:
		return
	default:
		for range lendsWithin {
			if w.t.owner.insist(s) {
				break
			}
		}
		w.waited = w.t.clock.Now()
	}
	if at.peer == nil && at.local.IsValid() {
		_ = w.sock.Send([]sock.Train{{Data: datagram, Remote: netip.AddrPortFrom(at.local, w.sock.Port()), Local: at.local}}) // else it is lost
	}
}

// trim cuts a packet to the length that its header tells: padding may follow it. nil: the header tells nonsense.
func trim(p []byte) []byte {
	size := 0
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		size = int(binary.BigEndian.Uint16(p[2:]))
		if header := int(p[0]&15) * 4; header < 20 || size < header {
			return nil
		}
	case len(p) >= 40 && p[0]>>4 == 6:
		size = 40 + int(binary.BigEndian.Uint16(p[4:]))
	default:
		return nil
	}
	if size > len(p) {
		return nil
	}
	return p[:size]
}

// owns reports whether a packet's source address is one that the peer may use.
func (w *inbound) owns(p *Peer, packet []byte) bool {
	src, _, _ := ends(packet)
	if src != w.source || w.owner != p {
		if w.source, w.owner = src, w.t.routes.peer(src); w.owner != p && w.t.routes.from(p).has(src) {
			w.owner = p
		}
	}
	return w.owner == p
}

// received counts what one session's part of a train came to.
func (w *inbound) received(now mono.Time, b *batchOf) {
	if b.from == nil || b.packets == 0 {
		return
	}
	p := b.from.peer
	p.rx.add(b.packets, b.bytes)
	h := p.heard.Load()
	moved := h == nil || h.id != b.at.id
	if moved {
		p.heard.Store(&Path{place: *b.at})
	}
	if bit := b.class.bit(); p.flags.Load()&bit == 0 {
		p.flags.Or(bit)
	}
	w.t.stir(p)
	if b.from.Received(now, b.at.id, b.data) {
		w.tell(now, b.from, moved)
	}
}

// waitEvery is the least time between two waits for the owner, so that nobody can make a worker do little else.
const waitEvery = 10 * time.Millisecond

// tell has the owner look at a session. It is waited for where the host's answer to what was received would otherwise be lost: the peer is
// at another place, or has begun to use a session that is to replace another, which it may have forgotten.
func (w *inbound) tell(now mono.Time, r *receiving, moved bool) {
	s := r.peer.sealer.Load()
	replaces := s != nil && s.Session != r.Session && !r.used.Swap(true)
	if !moved && !replaces || now.Sub(w.waited) < waitEvery {
		w.t.owner.note(r.Session)
		return
	}
	w.waited = now
	w.t.owner.insist(r.Session)
}

// flush writes what has been joined to the host.
func (w *inbound) flush(now mono.Time) error {
	w.owner = nil // routes may change from now on
	runs := w.joiner.Runs()
	if len(runs) == 0 {
		return nil
	}
	allowed := runs[:0]
	for i := range runs {
		if !w.t.allowsIn(now, &runs[i], w.joined) {
			w.t.drop(FilteredIn, len(runs[i].Parts))
			continue
		}
		allowed = append(allowed, runs[i])
	}
	err := w.exit.write(allowed)
	w.joiner.Reset()
	return err
}
