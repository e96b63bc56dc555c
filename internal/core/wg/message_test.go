package wg

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestKindOfLooksAtTypeAndLength(t *testing.T) {
	sizes := map[Kind]int{KindInitiation: 148, KindResponse: 92, KindCookie: 64, KindTransport: 32}
	for kind, size := range sizes {
		b := make([]byte, 2000)
		b[0] = byte(kind)
		for n := range len(b) + 1 {
			want := KindNone
			if n == size || kind == KindTransport && n > size {
				want = kind
			}
			if got := KindOf(b[:n]); got != want {
				t.Errorf("type %d with %d bytes is %d, want %d", kind, n, got, want)
			}
		}
		for i := 1; i < 4; i++ {
			b[i] = 1
			if KindOf(b[:size]) != KindNone {
				t.Errorf("type %d with reserved byte %d set is taken", kind, i)
			}
			b[i] = 0
		}
	}
	if KindOf(nil) != KindNone || KindOf(make([]byte, 64)) != KindNone {
		t.Error("nothing is something")
	}
}

// The corpus in testdata holds a recorded handshake, whole, cut short and changed. Whatever arrives, the machine neither panics nor takes it, and a tunnel that stands keeps standing.
func FuzzAnythingMayArrive(f *testing.F) {
	w := newWorld(f, 2, nil)     // other random numbers
	w.now = w.now.Add(time.Hour) // and a later time than the recording's, so that nothing of it fits
	w.talk(time.Second)
	f.Fuzz(func(t *testing.T, data []byte, pressed bool) {
		side := w.side[1]
		w.t, w.side[0].t, w.side[1].t = t, t, t
		got, sessions := len(side.got), maps.Clone(side.rx)
		if pressed {
			side.m.Press(w.now)
		}
		if drop := side.read(w.now, Origin{Source: 66}, bytes.Clone(data)); drop == Taken {
			t.Fatalf("%x is taken", data)
		}
		if len(side.got) != got || side.m.Peers() != 1 || !maps.Equal(side.rx, sessions) {
			t.Fatal("something dropped left a trace")
		}
		w.talk(100 * time.Millisecond)
	})
}

// A message that the holder of our public key made, with whatever inside, is no more dangerous.
func FuzzAnythingMayArriveUnderAGoodMAC(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte, first bool) {
		s := newShell(t, Config{Private: testKey(t, 1), Lookup: func(p key.WGPublic) (Peer, bool) { return Peer{Public: p}, true }}, 1)
		msg := make([]byte, responseSize)
		kind := KindResponse
		if first {
			msg, kind = make([]byte, initiationSize), KindInitiation
		}
		copy(underMAC1(msg), body)
		clear(msg[:4])
		msg[0] = byte(kind)
		new(jar).stamp(1, msg, s.m.Public())
		if drop := s.read(mono.Time(time.Hour), Origin{}, msg); drop == Taken || s.m.Peers() != 0 {
			t.Fatalf("%x is %v", msg, drop)
		}
	})
}
