package server

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/sys/sched"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

// answers is how many bytes of answers one system call's worth of datagrams may cause; what is beyond is not answered.
const answers = 64 << 10

// worker serves one UDP socket.
type worker struct {
	s        *Server
	sock     sock.Socket
	book     *shelf
	stunOnly bool
	in       [sock.Batch]sock.Train
	out      going
	answers  []byte
	other    sock.Socket  // at another port, for who asks to be answered from elsewhere; nil: there is none
	aside    []sock.Train // that leave from there
	route    route
	gather   gather
}

// route is what is known of the channel that the last frame went through, and of the train that it went into.
type route struct {
	number   relay.Number
	lane     *forward.Lane
	from, to *forward.Seat
	open     bool // the last train in out may be continued
	end      int  // where it ends, in the train that came
}

func newWorker(s *Server, u sock.Socket, b *shelf, stunOnly bool) *worker {
	w := &worker{s: s, sock: u, book: b, stunOnly: stunOnly, answers: make([]byte, 0, answers)}
	size := sock.MaxTrain
	if stunOnly {
		size = 2048
	}
	for i := range w.in {
		w.in[i].Data = make([]byte, size)
	}
	return w
}

// run serves until the socket is closed.
func (w *worker) run(context.Context) error {
	naps := !w.stunOnly && sched.Late() <= gatherLate
	for {
		n, err := w.sock.Receive(w.in[:])
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			continue
		}
		now := w.s.clock.Now()
		w.decide(now, n)
		w.out.join()
		w.sock.Send(w.out.trains)
		if len(w.aside) > 0 {
			w.other.Send(w.aside)
		}
		if naps {
			w.gather.rest(now, n)
		}
	}
}

// decide fills out with what is to be sent.
func (w *worker) decide(now mono.Time, n int) {
	w.out.reset()
	w.answers, w.aside = w.answers[:0], w.aside[:0]
	w.s.lock.RLock()
	defer w.s.lock.RUnlock()
	w.book.Lock()
	defer w.book.Unlock()
	if !w.stunOnly {
		w.book.Turn(now, n == len(w.in))
	}
	for i := range n {
		w.train(now, &w.in[i])
	}
}

// train sorts the datagrams of a train.
func (w *worker) train(now mono.Time, t *sock.Train) {
	src := forward.At(t.Remote)
	w.route = route{}
	for at := 0; at < len(t.Data); at += t.Segment {
		end := min(at+t.Segment, len(t.Data))
		b := t.Data[at:end]
		switch {
		case b[0] == relay.Type && !w.stunOnly:
			if len(b) > 1 && relay.Kind(b[1]) == relay.Data {
				w.data(now, &src, t, at, end)
			} else {
				w.control(now, &src, t, b)
			}
		case b[0] < 4:
			w.question(t, b)
		default:
			w.book.Refuse(forward.DropMalformed)
		}
	}
}

// data forwards t.Data[at:end].
func (w *worker) data(now mono.Time, src *forward.Place, t *sock.Train, at, end int) {
	b, r := t.Data[at:end], &w.route
	if n := numberOf(b); r.lane == nil || n != r.number {
		r.number, r.open = n, false
		r.lane = w.s.table.Lane(n)
		r.from, r.to = w.s.table.Seat(r.lane.FromSlot), w.s.table.Seat(r.lane.ToSlot)
	}
	if d := w.book.Decide(now, src, b, r.lane, r.from, r.to); d != forward.Sent {
		r.open = false
		w.fault(now, src, t, b, d)
		return
	}
	w.s.table.Readdress(b, r.lane, r.to)
	if r.to.Place.Via != forward.UDP {
		w.s.toCarrier(w.book, r.to, b)
		return
	}
	if r.open && r.end == at {
		last := &w.out.trains[len(w.out.trains)-1]
		last.Data = last.Data[:len(last.Data)+len(b)]
		r.open = len(b) == last.Segment
	} else {
		w.out.add(sock.Train{Data: b, Segment: len(b), Remote: r.to.Place.AddrPort(), Local: address(r.to.Local)}, r.to)
		r.open = true
	}
	r.end = end
}

// numberOf is relay.NumberOf for what may be too short to have one.
func numberOf(b []byte) relay.Number {
	if len(b) < relay.HeaderSize {
		return 0
	}
	return relay.NumberOf(b)
}

// fault tells a sender why its Data frame went nowhere, where that helps.
func (w *worker) fault(now mono.Time, src *forward.Place, t *sock.Train, b []byte, d forward.Drop) {
	switch d {
	case forward.DropUnknown:
		w.unknown(now, t, b)
	case forward.DropGone:
		if w.book.Notice(now) {
			p := post{src: *src, about: aFault}
			copy(p.frame[:], b[:relay.MinData])
			w.s.owner.offer(&p)
		}
	}
}

// unknown tells a sender that its number means nothing here.
func (w *worker) unknown(now mono.Time, t *sock.Train, b []byte) {
	if n, ok := relay.NoticeOf(b, relay.Unknown, relay.NoReason); ok && len(w.answers)+relay.NoticeSize <= answers && w.book.Notice(now) {
		at := len(w.answers)
		w.answers = n.Append(w.answers, nil)
		w.answer(t, at)
	}
}

// control passes a control frame on to the owner.
func (w *worker) control(now mono.Time, src *forward.Place, t *sock.Train, b []byte) {
	if kind, _ := relay.KindOf(b); relay.IsAnswer(kind) && len(b) <= relay.ControlSize && w.s.table.Neighbour(src) {
		w.answered(now, src, b)
		return
	}
	_, seat := w.s.table.SeatOf(numberOf(b))
	switch w.book.Control(now, src, b, seat) {
	case forward.Sent:
		if !w.s.owner.offer(asked(*src, t.Local.As16(), b)) {
			w.book.Refuse(forward.DropBusy)
		}
	case forward.DropUnknown:
		w.unknown(now, t, b)
	}
}

// answered passes on to the owner what a neighbour answers.
func (w *worker) answered(now mono.Time, src *forward.Place, b []byte) {
	if w.book.Answer(now) != forward.Sent {
		return
	}
	p := post{src: *src, about: aNeighbour, size: uint8(len(b))}
	copy(p.frame[:], b)
	if !w.s.owner.offer(&p) {
		w.book.Refuse(forward.DropBusy)
	}
}

// question answers a STUN request, from the other port or to another if it is asked to: so a node finds out how its NAT filters and for how long it
// remembers (RFC 5780, sections 4.4 and 4.6).
func (w *worker) question(t *sock.Train, b []byte) {
	at := len(w.answers)
	if at+max(len(b), stun.BareAnswer) > answers {
		return
	}
	a, change, ok := stun.Server{TwoPorts: w.other != nil, Ports: true}.Answer(w.answers, b, t.Remote)
	if !ok {
		return
	}
	w.answers = a
	to := *t
	to.Remote = stun.Towards(b, a[at:], t.Remote)
	if change == 0 {
		w.answer(&to, at)
		return
	}
	w.aside = append(w.aside, sock.Train{Data: a[at:], Remote: to.Remote, Local: t.Local})
}

// answer sends what has been appended to the answers since at.
func (w *worker) answer(t *sock.Train, at int) {
	w.out.add(sock.Train{Data: w.answers[at:], Remote: t.Remote, Local: t.Local}, nil)
	w.route.open = false
}

// toCarrier hands a frame to a client that is bound to a connection.
func (s *Server) toCarrier(b *shelf, to *forward.Seat, frame []byte) {
	d := forward.DropUnreachable
	if c := s.carriers[to.Place.Conn]; c != nil {
		d = c.box.push(frame)
	}
	if d != forward.Sent {
		b.Refuse(d)
	}
}

// remote is where a connection comes from.
func remote(a netip.AddrPort, via forward.Via, id uint32) forward.Place {
	p := forward.At(a)
	p.Via, p.Conn = via, id
	return p
}
