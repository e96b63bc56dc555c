package wg

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// twoSessions are the two ends of one session, made at the given instant.
func twoSessions(born mono.Time) (a, b *Session) {
	x, y := [keySize]byte{1}, [keySize]byte{2}
	a = new(peer).newSession(born, &x, &y, 10, 20, true)
	b = new(peer).newSession(born, &y, &x, 20, 10, false)
	return a, b
}

func TestPaddingIsZeroAndStopsAtTheMTU(t *testing.T) {
	for _, c := range []struct{ n, limit, want int }{
		{0, 0, 0}, {1, 0, 16}, {16, 0, 16}, {17, 0, 32}, {1380, 1380, 1380}, {1370, 1380, 1376}, {1377, 1380, 1380}, {1420, 1420, 1420}, {1500, 1420, 1500},
	} {
		a, b := twoSessions(1)
		plain := bytes.Repeat([]byte{0xee}, c.n)
		dirty := bytes.Repeat([]byte{0x77}, 2048)
		counter, _ := a.Reserve(1, 1)
		msg := a.Seal(dirty[:0], counter, plain, c.limit)
		if len(msg) != c.want+Overhead {
			t.Errorf("%d bytes with limit %d: sealed to %d, want %d", c.n, c.limit, len(msg), c.want+Overhead)
		}
		if KindOf(msg) != KindTransport || transportIndex(msg) != b.LocalIndex() {
			t.Errorf("header is %x", msg[:HeaderSize])
		}
		out, drop := b.Open(1, nil, msg)
		if drop != Taken || !bytes.Equal(out, append(plain, make([]byte, c.want-c.n)...)) {
			t.Errorf("%d bytes with limit %d: opened to %x (%v)", c.n, c.limit, out, drop)
		}
	}
}

func TestSealingInPlaceIsTheSameAsElsewhere(t *testing.T) {
	a, b := twoSessions(1)
	plain := []byte("a packet of some length")
	elsewhere := a.Seal([]byte("in front"), 5, plain, 0)
	buf := make([]byte, 100)
	copy(buf[HeaderSize:], plain)
	inPlace := a.Seal(buf[:0], 5, buf[HeaderSize:HeaderSize+len(plain)], 0)
	if !bytes.Equal(append([]byte("in front"), inPlace...), elsewhere) {
		t.Errorf("in place %x, elsewhere %x", inPlace, elsewhere)
	}
	if &inPlace[0] != &buf[0] {
		t.Error("sealing in place moved the packet")
	}
	header := bytes.Clone(inPlace[:HeaderSize])
	out, drop := b.Open(1, inPlace[HeaderSize:HeaderSize], inPlace)
	if drop != Taken || !bytes.HasPrefix(out, plain) || &out[0] != &buf[HeaderSize] {
		t.Errorf("opened %q, %v", out, drop)
	}
	if !bytes.Equal(header, inPlace[:HeaderSize]) {
		t.Error("Open left the header changed")
	}
}

// The nonce is 32 zero bits and the counter, little-endian (§5.4.6): checked with the bare cipher.
func TestTheNonceIsTheCounter(t *testing.T) {
	a, _ := twoSessions(1)
	k := [keySize]byte{1}
	aead, err := chacha20poly1305.New(k[:])
	if err != nil {
		t.Fatal(err)
	}
	msg := a.Seal(nil, 0x0102030405060708, []byte("sixteen bytes ok"), 0)
	out, err := aead.Open(nil, []byte{0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1}, msg[HeaderSize:], nil)
	if err != nil || string(out) != "sixteen bytes ok" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestASessionHasAnEnd(t *testing.T) {
	a, b := twoSessions(1)
	late := mono.Time(1).Add(RejectAfterTime)
	msg := a.Seal(nil, 0, []byte("x"), 0)
	if _, ok := a.Reserve(late-1, 1); !ok || !a.Usable(late-1) {
		t.Error("a session ends too early")
	}
	if _, ok := a.Reserve(late, 1); ok || a.Usable(late) {
		t.Error("a session seals after its end")
	}
	if _, drop := b.Open(late, nil, bytes.Clone(msg)); drop != DropExpired {
		t.Errorf("after the end a packet is %v", drop)
	}
	if _, drop := b.Open(late-1, nil, msg); drop != Taken {
		t.Errorf("before the end a packet is %v", drop)
	}
}

func TestBadPacketsAreDropped(t *testing.T) {
	a, b := twoSessions(1)
	good := a.Seal(nil, 9, []byte("good"), 0)
	for n := range KeepaliveSize {
		if _, drop := b.Open(1, nil, good[:n]); drop != DropMalformed {
			t.Errorf("%d bytes are %v", n, drop)
		}
	}
	for i := 8; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, drop := b.Open(1, nil, bad); drop != DropForged && drop != DropReplayed {
			t.Errorf("byte %d changed: %v", i, drop)
		}
	}
	if _, drop := b.Open(1, nil, good[:len(good)-1]); drop != DropForged {
		t.Errorf("cut short: %v", drop)
	}
	if _, drop := a.Open(1, nil, bytes.Clone(good)); drop != DropForged {
		t.Errorf("sent back to its sender: %v", drop)
	}
	if _, drop := b.Open(1, nil, good); drop != Taken {
		t.Errorf("the good packet, after all that: %v", drop)
	}
}

func TestAFreshSessionReportsOnlyEdges(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.talk(time.Second)
	told := 0
	for range 1000 { // ten seconds of steady traffic
		now := w.now
		for i, s := range w.side {
			session := s.tx[w.pub[1-i]]
			if session.Sent(now, true) {
				told++
				s.attend(now, session, true)
			}
			if session.Received(now, w.from[1-i].Source, true) {
				told++
				s.attend(now, session, true)
			}
		}
		w.run(10 * time.Millisecond)
	}
	if told > 4 {
		t.Errorf("%d reports in 4000 marks of steady traffic", told)
	}
}

func TestManyWorkersNeverShareACounter(t *testing.T) {
	a, b := twoSessions(1)
	const workers, each = 4, 300 // fewer packets than fit into the window
	sealed := make([][][]byte, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			for n := range each {
				size := 1 + n%7
				first, ok := a.Reserve(1, size)
				if !ok {
					t.Error("refused")
					return
				}
				for c := range uint64(size) {
					sealed[i] = append(sealed[i], a.Seal(nil, first+c, []byte("x"), 0))
				}
				a.Sent(1, true)
			}
		})
	}
	group.Wait()
	all := slices.Concat(sealed...)
	if n := a.counter.Load(); n != uint64(len(all)) {
		t.Errorf("%d counters for %d packets", n, len(all))
	}

	var opened atomic.Int64
	for range workers { // everybody opens everything: each packet succeeds for one of them
		group.Go(func() {
			for _, msg := range all {
				if _, drop := b.Open(1, nil, bytes.Clone(msg)); drop == Taken {
					opened.Add(1)
				}
			}
			b.Received(1, 1, true)
		})
	}
	group.Wait()
	if n := opened.Load(); n != int64(len(all)) {
		t.Errorf("%d packets were opened, of %d", n, len(all))
	}
}

// Workers mark and the owner attends at the same time; meant for the race detector.
func TestOwnerAndWorkersWorkAtOnce(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.talk(time.Second)
	s := w.side[0]
	session := s.tx[w.pub[1]]
	start := w.now
	reports := make(chan struct{}, 16)
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			for n := range 20_000 {
				now := start.Add(time.Duration(n) * time.Millisecond)
				tell := session.Sent(now, true)
				if i == 0 {
					tell = session.Received(now, Source(n/1000), n%2 == 0)
				}
				if tell {
					select {
					case reports <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for now := start; ; now = now.Add(10 * time.Millisecond) {
		select {
		case <-reports:
			s.m.Attend(now, session, &s.out)
			s.m.Tick(now, &s.out)
			s.out.Reset()
			continue
		case <-done:
		}
		break
	}
	s.m.Attend(start.Add(20*time.Second), session, &s.out)
	if got := s.m.peers[w.pub[1]].traffic.announced.Get(); got != 19 {
		t.Errorf("last source announced is %d, want 19", got)
	}
}
