package tunnel

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// fake is a tunnel protocol that looks like IKE and ESP from afar, and protects nothing. Whoever has something to say asks the other by
// name, and the answer makes the session of both.
//
//	ask, answer   00 00 00 00, the kind, the sender's name, the SPI that it wants to be sent with
//	packet        SPI, counter, the packet, CRC-32
type fake struct {
	self  key.WGPublic
	host  Host
	peers map[key.WGPublic]*fakePeer
	data  []byte // of the latest Transmit

	limit     uint64 // counters that a session has
	deaf      bool   // it answers nobody
	wakes     int
	attends   int
	presses   int
	removed   int
	installed int // sessions that have not been retired
	last      *fakeSession
}

const (
	fakeAsk    = 1
	fakeAnswer = 2
	fakeSize   = 4 + 1 + 32 + 4
	fakeHeader = 4 + 8
	fakeSum    = 4

	fakeRetry = time.Second
	fakeTries = 5
)

// fakePeer is what the fake knows of a peer.
type fakePeer struct {
	peer    *Peer
	session *fakeSession
	spi     uint32    // of the ask that is under way
	retryAt mono.Time // Never: none is
	tries   int
	heard   Source
}

func (f *fake) build(h Host) (Transport, error) {
	f.host, f.peers = h, map[key.WGPublic]*fakePeer{}
	return f, nil
}

func (f *fake) of(p *Peer, out *Out) *fakePeer {
	fp := f.peers[p.Key()]
	if fp == nil {
		fp = &fakePeer{peer: p}
		f.peers[p.Key()] = fp
		out.Events = append(out.Events, Event{Kind: Known, Peer: p})
	}
	return fp
}

func (f *fake) say(kind byte, p *Peer, spi uint32, to Source, out *Out) {
	f.data = append(append([]byte{0, 0, 0, 0, kind}, f.self[:]...), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(f.data[fakeSize-4:], spi)
	out.Transmits = append(out.Transmits, Transmit{Peer: p, To: to, Opening: kind == fakeAsk, Data: f.data})
}

func (f *fake) ask(now mono.Time, p *fakePeer, out *Out) {
	p.spi, p.retryAt = fakeSPI(), now.Add(fakeRetry)
	p.tries++
	out.Events = append(out.Events, Event{Kind: Offered, Index: p.spi})
	f.say(fakeAsk, p.peer, p.spi, 0, out)
}

func fakeSPI() uint32 { return 0x30000000 | rand.Uint32N(1<<28) }

func (f *fake) Control(_ mono.Time, from Origin, message []byte, out *Out) Reason {
	if len(message) != fakeSize {
		return Malformed
	}
	name := key.WGPublic(message[5:37])
	known := f.host.Find(name)
	if known == nil {
		return UnknownPeer
	}
	if f.deaf {
		return Crossed
	}
	p, theirs := f.of(known, out), binary.BigEndian.Uint32(message[37:])
	ours := p.spi
	if message[4] == fakeAsk {
		ours = fakeSPI()
		f.say(fakeAnswer, known, ours, from.Source, out)
	} else if p.retryAt.IsNever() {
		return UnknownIndex
	}
	p.retryAt, p.tries = mono.Never, 0
	f.hear(p, from.Source, out)
	if p.session != nil {
		f.installed--
		out.Events = append(out.Events, Event{Kind: Retired, Peer: known, Session: p.session})
	}
	f.installed++
	p.session = &fakeSession{ours: ours, theirs: theirs, limit: f.limit}
	f.last = p.session
	out.Events = append(out.Events, Event{Kind: Installed, Peer: known, Session: p.session}, Event{Kind: Current, Peer: known, Session: p.session})
	return OK
}

func (f *fake) hear(p *fakePeer, from Source, out *Out) {
	if p.heard != from {
		p.heard = from
		out.Events = append(out.Events, Event{Kind: Heard, Peer: p.peer, Source: from})
	}
}

func (f *fake) Press(mono.Time) { f.presses++ }

func (f *fake) Put(_ mono.Time, p *Peer, out *Out) error { f.of(p, out); return nil }

func (f *fake) Remove(p *Peer, out *Out) {
	fp := f.peers[p.Key()]
	if f.removed++; fp.session != nil {
		f.installed--
		out.Events = append(out.Events, Event{Kind: Retired, Peer: p, Session: fp.session})
	}
	delete(f.peers, p.Key())
}

func (f *fake) Wake(now mono.Time, p *Peer, out *Out) {
	f.wakes++
	if fp := f.of(p, out); fp.retryAt.IsNever() {
		f.ask(now, fp, out)
	}
}

func (f *fake) Renew(now mono.Time, p *Peer, out *Out) { f.Wake(now, p, out) }

func (f *fake) Attend(_ mono.Time, s Session, out *Out) {
	f.attends++
	for _, p := range f.peers {
		if p.session == s {
			f.hear(p, Source(p.session.from.Load()), out)
		}
	}
}

func (f *fake) Deadline() (at mono.Time) {
	for _, p := range f.peers {
		at = mono.Earlier(at, p.retryAt)
	}
	return at
}

func (f *fake) Tick(now mono.Time, out *Out) {
	for _, p := range f.peers {
		switch {
		case p.retryAt.IsNever() || p.retryAt > now:
		case p.tries == fakeTries:
			p.retryAt, p.tries = mono.Never, 0
			out.Events = append(out.Events, Event{Kind: GaveUp, Peer: p.peer})
			return
		default:
			f.ask(now, p, out)
			return // f.data is taken
		}
	}
}

func (f *fake) Status(p *Peer) (s Status) {
	if fp := f.peers[p.Key()]; fp != nil {
		s.Attempting = !fp.retryAt.IsNever()
	}
	return s
}

// fakeSession is a session of a fake.
type fakeSession struct {
	ours, theirs uint32
	limit        uint64
	counter      atomic.Uint64
	from         atomic.Uint64
}

// TakesPartial: the peer is one of this package, too.
func (*fakeSession) TakesPartial() bool { return true }

func (s *fakeSession) Class() Class  { return ESP }
func (s *fakeSession) Index() uint32 { return s.ours }
func (s *fakeSession) Overhead() int { return fakeHeader + fakeSum }

func (s *fakeSession) Usable(mono.Time) bool { return s.counter.Load() < s.limit }

func (s *fakeSession) Reserve(_ mono.Time, n int) (uint64, bool) {
	for {
		first := s.counter.Load()
		if first+uint64(n) > s.limit {
			return 0, false
		}
		if s.counter.CompareAndSwap(first, first+uint64(n)) {
			return first, true
		}
	}
}

func (s *fakeSession) Seal(dst []byte, counter uint64, packet []byte, _ int) []byte {
	start, n := len(dst), len(packet)
	dst = dst[:start+fakeHeader+n+fakeSum]
	copy(dst[start+fakeHeader:], packet)
	binary.BigEndian.PutUint32(dst[start:], s.theirs)
	binary.BigEndian.PutUint64(dst[start+4:], counter)
	binary.BigEndian.PutUint32(dst[len(dst)-fakeSum:], crc32.ChecksumIEEE(dst[start:len(dst)-fakeSum]))
	return dst
}

func (s *fakeSession) Sent(mono.Time) bool { return false }

func (s *fakeSession) Open(_ mono.Time, d []byte) ([]byte, Reason) {
	end := len(d) - fakeSum
	if end < fakeHeader {
		return nil, Malformed
	}
	if !bytes.Equal(d[end:], binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(d[:end]))) {
		return nil, Forged
	}
	return d[fakeHeader:end], OK
}

func (s *fakeSession) Received(_ mono.Time, from Source, _ bool) bool {
	return s.from.Swap(uint64(from)) != uint64(from)
}
