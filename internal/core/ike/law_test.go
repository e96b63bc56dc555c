package ike

import (
	"bytes"
	"encoding/binary"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// lane is what one side has sent on one IKE SA. A side that restarts has other SPIs, and other lanes.
type lane struct {
	requests, tells batch // the newest request, and the newest answer
	exchange        msg.Exchange
	iv              int64 // the newest of these keys; -1: none
}

// batch is one message: all the datagrams that it has come in.
type batch struct {
	any       bool
	id        uint32
	datagrams [][]byte
}

type laneKey struct {
	side int
	i, r msg.SPI
}

// lawful holds what a side sends against what is true of every message, whatever happens:
//
//   - before a peer has proved itself nothing but IKE_SA_INIT is in the clear, and after that nothing but the hint that an SA is unknown;
//   - message IDs of requests go up one by one, and answers never go back (§2.3);
//   - what is repeated is repeated to the byte (§2.1);
//   - no IV is used twice with the same keys (RFC 5282 §3.1).
func (w *world) lawful(from int, m msg.Message, raw []byte) {
	w.t.Helper()
	if w.lawless || m.Exchange == msg.IKESAInit {
		return
	}
	iv, sealed := ivOf(m)
	if !sealed {
		if len(m.Payloads) != 1 || !m.Has(msg.Response) || !only(m.Payloads, msg.InvalidIKESPI) {
			w.t.Fatalf("%s sends in the clear: %+v\n%s", w.side[from].name, m.Payloads, w.story())
		}
		return
	}
	if w.lanes == nil {
		w.lanes = map[laneKey]*lane{}
	}
	key := laneKey{from, m.SPIi, m.SPIr}
	l := w.lanes[key]
	if l == nil {
		l = &lane{iv: -1}
		w.lanes[key] = l
	}
	b := &l.requests
	if m.Has(msg.Response) {
		b = &l.tells
		if asked := w.lanes[laneKey{1 - from, m.SPIi, m.SPIr}]; asked == nil || m.ID > asked.requests.id {
			w.t.Fatalf("%s answers %d, which was not asked\n%s", w.side[from].name, m.ID, w.story())
		}
	}
	switch again, ok := b.take(m.ID, raw, m.Has(msg.Response)); {
	case !ok:
		w.t.Fatalf("%s sends message %d after %d\n%s", w.side[from].name, m.ID, b.id, w.story())
	case again:
		return
	}
	if l.exchange == msg.IKEIntermediate && len(b.datagrams) == 1 { // whose end makes new keys (RFC 9370 §2.2.2)
		l.iv = -1
	}
	if l.exchange = m.Exchange; iv <= l.iv {
		w.t.Fatalf("%s uses IV %d after %d\n%s", w.side[from].name, iv, l.iv, w.story())
	}
	l.iv = iv
}

// take notes a datagram. again: it was sent before; ok: it may be sent now.
func (b *batch) take(id uint32, raw []byte, answer bool) (again, ok bool) {
	switch {
	case b.any && id == b.id:
		for _, one := range b.datagrams {
			if bytes.Equal(one, raw) {
				return true, true
			}
		}
		ok = newPiece(b.datagrams, raw)
	case !b.any, id == b.id+1, answer && id > b.id:
		ok, b.datagrams = true, nil
	}
	b.any, b.id, b.datagrams = true, id, append(b.datagrams, raw)
	return false, ok
}

// newPiece reports whether a datagram is another fragment of the message that the others are of.
func newPiece(others [][]byte, raw []byte) bool {
	number := func(raw []byte) (n, total uint16) {
		m, _ := msg.Parse(raw)
		f, _ := msg.First[msg.SKF](m.Payloads)
		return f.Number, f.Total
	}
	n, total := number(raw)
	for _, one := range others {
		if other, sum := number(one); other == n || sum != total {
			return false
		}
	}
	return n > 0
}

func only(ps []msg.Payload, kind msg.NotifyType) bool {
	_, ok := msg.Notified(ps, kind)
	return ok && len(ps) == 1
}

// ivOf is the IV of a sealed message.
func ivOf(m msg.Message) (iv int64, sealed bool) {
	if len(m.Payloads) != 1 {
		return 0, false
	}
	var body []byte
	switch p := m.Payloads[0].(type) {
	case msg.SK:
		body = p.Body
	case msg.SKF:
		body = p.Body
	}
	if len(body) < 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(body)), true
}

// still checks, in a tame world where nothing is under way and nobody waits for an answer, that both sides are of one mind: the same IKE
// SA serves, and every Child SA is the other side's too, however many collisions there were.
func (w *world) still() {
	if !w.tame || len(w.flight) > 0 {
		return
	}
	var one [2]*session
	for n, s := range w.side {
		if len(s.m.sessions) != 1 || len(s.m.calls) > 0 {
			return
		}
		for _, held := range s.m.sas {
			if held.pending != nil {
				return
			}
		}
		for _, x := range s.m.sessions {
			one[n] = x
		}
	}
	a, b := one[0], one[1]
	if a.sa.local != b.sa.remote || a.sa.remote != b.sa.local {
		w.t.Fatalf("a asks by %s and %s, b by %s and %s\n%s", a.sa.local, a.sa.remote, b.sa.local, b.sa.remote, w.story())
	}
	for n, x := range one {
		for _, c := range x.children {
			if other := one[1-n].byIn(c.out); other == nil || other.out != c.in {
				w.t.Fatalf("only %s has the Child SA %x\n%s", w.side[n].name, c.in, w.story())
			}
		}
	}
}

// weight is about how many bytes a machine keeps of what peers and strangers sent, and of what it may have to send again.
func (m *Machine) weight() (n int) {
	add := func(all ...[]byte) {
		for _, b := range all {
			n += len(b)
		}
	}
	for _, s := range m.sas {
		n += s.answers.bytes + s.requests.bytes
		add(s.answered.datagrams...)
		if s.pending != nil {
			add(s.pending.datagrams...)
		}
		if o := s.opening; o != nil {
			add(o.initI, o.initR, o.intI, o.intR, o.cookie)
		}
		if x := s.session; x != nil {
			n += 64 * (len(x.queue) + len(x.later) + len(x.children))
		}
	}
	return n
}
