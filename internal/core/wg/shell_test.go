package wg

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// epoch is the wall clock's time at mono zero in all tests.
func epoch() time.Time { return time.Unix(1_790_000_000, 0) }

// shell is the smallest engine: it does with one machine what the real one does, without workers.
type shell struct {
	t    testing.TB
	m    *Machine
	out  Out
	rx   map[uint32]*Session
	tx   map[key.WGPublic]*Session
	wait map[key.WGPublic][][]byte // packets that wait for a session, at most waiting a peer

	got     [][]byte       // plaintexts received
	events  []Event        // since the test last looked
	drops   [drops]int     // of Handshake and Open
	cookies int            // taken
	send    func(Transmit) // to the network
	deaf    bool           // reports of Sent and Received are lost
}

const waiting = 8

func newShell(t testing.TB, cfg Config, seed uint64) *shell {
	t.Helper()
	if cfg.Epoch.IsZero() {
		cfg.Epoch = epoch()
	}
	m, err := New(cfg, testRandom(seed))
	if err != nil {
		t.Fatal(err)
	}
	return &shell{t: t, m: m, rx: map[uint32]*Session{}, tx: map[key.WGPublic]*Session{}, wait: map[key.WGPublic][][]byte{},
		send: func(Transmit) {}}
}

func testRandom(seed uint64) *rand.ChaCha8 {
	var b [32]byte
	b[0], b[1], b[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	return rand.NewChaCha8(b)
}

// testKey is the nth private key.
func testKey(t testing.TB, n int) key.WGPrivate {
	t.Helper()
	var b [32]byte
	testRandom(uint64(n) + 1<<20).Read(b[:])
	k, err := key.ParseWGPrivate(b[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// flush does what the machine wants done.
func (s *shell) flush(now mono.Time) {
	for _, e := range s.out.Events {
		switch e.Kind {
		case EventInstalled:
			if s.rx[e.Session.LocalIndex()] != nil {
				s.t.Fatalf("index %d is installed twice", e.Session.LocalIndex())
			}
			s.rx[e.Session.LocalIndex()] = e.Session
		case EventCurrent:
			s.tx[e.Peer] = e.Session
		case EventRetired:
			delete(s.rx, e.Session.LocalIndex())
			if s.tx[e.Peer] == e.Session {
				delete(s.tx, e.Peer)
			}
		}
	}
	events := append([]Event(nil), s.out.Events...)
	s.events = append(s.events, events...)
	transmits := make([]Transmit, 0, len(s.out.Transmits))
	for _, tr := range s.out.Transmits {
		tr.Data = append([]byte(nil), tr.Data...)
		transmits = append(transmits, tr)
	}
	s.out.Reset()
	for _, tr := range transmits {
		s.send(tr)
	}
	for _, e := range events {
		if e.Kind == EventCurrent {
			packets := s.wait[e.Peer]
			delete(s.wait, e.Peer)
			for _, p := range packets {
				s.write(now, e.Peer, p)
			}
		}
	}
}

// write sends one packet of the inside to a peer.
func (s *shell) write(now mono.Time, to key.WGPublic, packet []byte) {
	session := s.tx[to]
	var counter uint64
	ok := false
	if session != nil {
		counter, ok = session.Reserve(now, 1)
	}
	if !ok {
		if len(s.wait[to]) < waiting {
			s.wait[to] = append(s.wait[to], packet)
		}
		s.m.Wake(now, to, &s.out)
		s.flush(now)
		return
	}
	s.send(Transmit{Peer: to, Data: session.Seal(nil, counter, packet, 1420)})
	s.attend(now, session, session.Sent(now, true))
}

func (s *shell) attend(now mono.Time, session *Session, tell bool) {
	if tell && !s.deaf {
		s.m.Attend(now, session, &s.out)
		s.flush(now)
	}
}

// read takes one datagram from the network.
func (s *shell) read(now mono.Time, from Origin, datagram []byte) Drop {
	drop := s.take(now, from, datagram)
	s.drops[drop]++
	return drop
}

func (s *shell) take(now mono.Time, from Origin, datagram []byte) Drop {
	if KindOf(datagram) != KindTransport {
		drop := s.m.Handshake(now, from, datagram, &s.out)
		if drop == Taken && KindOf(datagram) == KindCookie {
			s.cookies++
		}
		s.flush(now)
		return drop
	}
	session := s.rx[transportIndex(datagram)]
	if session == nil {
		return DropUnknownIndex
	}
	plain, drop := session.Open(now, nil, datagram)
	if drop != Taken {
		return drop
	}
	if len(plain) > 0 {
		s.got = append(s.got, plain)
	}
	s.attend(now, session, session.Received(now, from.Source, len(plain) > 0))
	return Taken
}

func (s *shell) tick(now mono.Time) {
	s.m.Tick(now, &s.out)
	s.flush(now)
}

// seen returns how many events of a kind there were since the last call for it, and forgets them.
func (s *shell) seen(kind EventKind) int {
	n := 0
	kept := s.events[:0]
	for _, e := range s.events {
		if e.Kind == kind {
			n++
		} else {
			kept = append(kept, e)
		}
	}
	s.events = kept
	return n
}

// transportIndex is the LocalIndex of the session that a packet is for.
func transportIndex(b []byte) uint32 { return binary.LittleEndian.Uint32(b[4:]) }
