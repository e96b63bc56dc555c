package ike_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

func TestFirstPacketWaitsForIKEAndIsAnswered(t *testing.T) {
	both, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{crypt.Modern, crypt.FIPS, crypt.CNSA1, crypt.NativeClients} {
		inWorld(t, func(e *end) {
			var err error
			if e.config.IKE.Profile, err = crypt.NewProfile(profile); err != nil {
				t.Fatal(err)
			}
			if profile == crypt.CNSA1 { // which knows no secrets
				e.signer = both
			}
		}, func(w *world) {
			w.a.Says(w.b.End, 0, 10)
			w.Pass(time.Second)
			w.b.WantHeard(0, 10)
			w.b.Says(w.a.End, 0, 10)
			w.Pass(rtt / 2)
			w.a.WantHeard(0, 10)
			for _, s := range []tunnel.PeerState{w.a.Of(w.b.End), w.b.Of(w.a.End)} {
				if s.Attempting || s.SessionSince.IsZero() || s.LastHandshake.IsZero() || len(s.Drops) != 0 {
					t.Errorf("%s: %+v", profile, s)
				}
			}
		})
	}
}

func TestBothMayBeginAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 10)
		w.b.Says(w.a.End, 0, 10)
		w.Pass(time.Second)
		w.b.WantHeard(0, 10)
		w.a.WantHeard(0, 10)
		for i := range 300 {
			w.a.Says(w.b.End, i, 1)
			w.b.Says(w.a.End, i, 1)
			w.Pass(100 * time.Millisecond)
		}
		w.Pass(time.Second)
		w.b.WantHeard(0, 300)
		w.a.WantHeard(0, 300)
	})
}

// Of two sessions that cross each other one is deleted; the other is what both then know each other by.
func TestOneOfTwoThatCrossStays(t *testing.T) {
	for seed := range uint64(20) {
		inWorld(t, nil, func(w *world) {
			w.Change(func() { w.Jitter = time.Duration(seed) * time.Millisecond })
			w.a.Says(w.b.End, 0, 1)
			w.b.Says(w.a.End, 0, 1)
			w.Pass(5 * time.Second)
			for _, way := range [][2]*end{{w.a, w.b}, {w.b, w.a}} {
				way[0].wantOneSA()
				way[0].asks(func(now mono.Time, d ipsec.Desk, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) error {
					return d.Rekey(now, find(way[1].Name()), out)
				})
				w.Pass(time.Second)
			}
		})
	}
}

// Both ends talk, packets overtake each other, and keys are replaced every ten seconds. Nothing is lost and nothing comes twice.
func TestChangeOfKeysInFlowLosesNothing(t *testing.T) {
	inWorld(t, shortLived, func(w *world) {
		w.Change(func() { w.Jitter = rtt })
		n, per := tunneltest.Brief(600, 200), 20
		for i := range n {
			w.a.Says(w.b.End, i*per, per)
			w.b.Says(w.a.End, i*per, per)
			w.Pass(100 * time.Millisecond)
			if i%20 == 19 {
				w.Pass(2 * rtt)
				w.b.WantHeard((i-19)*per, 20*per)
				w.a.WantHeard((i-19)*per, 20*per)
			}
		}
		if since := time.Since(w.a.Of(w.b.End).SessionSince); since > 15*time.Second {
			t.Errorf("the keys are %v old", since)
		}
		for _, e := range []*end{w.a, w.b} {
			if d := e.State().Drops; len(d) != 0 {
				t.Errorf("%d drops %v", e.N, d)
			}
		}
	})
}

// Links lose and repeat; what arrives arrives once, and keys are replaced all the same.
func TestBadLinkIsSurvived(t *testing.T) {
	inWorld(t, shortLived, func(w *world) {
		w.Change(func() { w.Loss, w.Twice, w.Jitter = 0.2, 0.1, rtt })
		seen := map[int]bool{}
		sent := tunneltest.Brief(3000, 500)
		for i := range sent {
			w.a.Says(w.b.End, i, 1)
			w.Pass(100 * time.Millisecond)
			for _, number := range w.b.Heard() {
				if seen[number] {
					t.Fatalf("packet %d comes again", number)
				}
				seen[number] = true
			}
		}
		if len(seen) < sent*7/10 {
			t.Errorf("%d packets have arrived", len(seen))
		}
	})
}

func TestPeerThatRestartsIsFoundAgain(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		w.b.Close()
		w.b.boot()
		w.b.Knows(w.a.End)
		w.a.Knows(w.b.End)
		for i := range 600 {
			w.a.Says(w.b.End, i, 1)
			w.Pass(100 * time.Millisecond)
		}
		if got := w.b.Heard(); len(got) == 0 || got[len(got)-1] != 599 {
			t.Errorf("%d packets have arrived after the restart; a: %+v", len(got), w.a.Of(w.b.End))
		}
	})
}

// Who has restarted speaks first: its peer takes the new SAs at once.
func TestWhoRestartsIsUnderstoodAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		w.b.Close()
		w.b.boot()
		w.b.Knows(w.a.End)
		w.b.Says(w.a.End, 7, 1)
		w.Pass(time.Second)
		w.a.WantHeard(7, 1)
		w.a.Says(w.b.End, 8, 1)
		w.Pass(time.Second)
		w.b.WantHeard(8, 1)
	})
}

// After a long sleep nothing is sealed by what there was. There are new keys before the first packet leaves; a peer that has forgotten us is called.
func TestPacketsPassAfterALongSleep(t *testing.T) {
	for _, forgot := range []bool{false, true} {
		inWorld(t, nil, func(w *world) {
			w.a.Says(w.b.End, 0, 1)
			w.Pass(time.Second)
			w.b.WantHeard(0, 1)
			if forgot {
				w.b.Close()
				w.b.boot()
				w.b.Knows(w.a.End)
				w.a.Knows(w.b.End)
			}
			w.a.Resume(8 * time.Hour)
			for i := range 20 {
				w.a.Says(w.b.End, 1+i, 1)
				time.Sleep(rtt / 10)
			}
			before := w.Carried()
			w.Pass(3 * time.Second)
			w.b.WantHeard(1, 20)
			w.b.Says(w.a.End, 1, 1)
			w.Pass(time.Second)
			w.a.WantHeard(1, 1)
			if n := w.Carried() - before; n > 60 {
				t.Errorf("it took %d datagrams", n)
			}
			w.Pass(10 * time.Second)
			w.a.wantOneSA()
			w.b.wantOneSA()
		})
	}
}

// A peer is gone, and somebody sends what looks like IKE from its address. That is no sign of life.
func TestNoiseFromAPeersAddressIsNoSignOfLife(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		port := w.b.Port()
		w.b.Close()
		s, err := w.Open(sock.Config{Port: port}, w.b.Home)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		noise := make([]byte, 64)
		for i := range 600 {
			w.a.Says(w.b.End, i, 1)
			if err := s.Send([]sock.Train{{Data: noise, Segment: len(noise), Remote: netip.AddrPortFrom(w.a.Home, w.a.Port())}}); err != nil {
				t.Fatal(err)
			}
			w.Pass(100 * time.Millisecond)
		}
		if p := w.a.Of(w.b.End); !p.SessionSince.IsZero() {
			t.Errorf("a still believes in its peer: %+v", p)
		}
		w.b.boot()
	})
}

func TestWrongSecretMakesNothing(t *testing.T) {
	inWorld(t, func(e *end) {
		if e.N == 2 {
			e.secret = "another"
		}
	}, func(w *world) {
		w.a.Says(w.b.End, 0, 5)
		w.Pass(time.Second)
		if s := w.a.Of(w.b.End); s.Waiting != 0 || s.Attempting || s.Drops[tunnel.NoSession.String()] != 5 {
			t.Errorf("%+v", s)
		}
		w.b.WantHeard(0, 0)
	})
}

// Packets that want to go to a peer that refuses do not have it asked again each: it is asked after half a second, after another, and so on.
func TestAPeerThatRefusesIsLeftInPeace(t *testing.T) {
	inWorld(t, func(e *end) {
		if e.N == 2 {
			e.secret = "another"
		}
	}, func(w *world) {
		for i := range 1000 {
			w.a.Says(w.b.End, i, 1)
			w.Pass(20 * time.Millisecond)
		}
		if n := w.Carried(); n > 60 {
			t.Errorf("%d messages in 20 seconds", n)
		}
		w.b.secret = w.a.secret
		w.Pass(16 * time.Second)
		w.a.Says(w.b.End, 1000, 1)
		w.Pass(time.Second)
		w.b.WantHeard(1000, 1)
	})
}

func TestRemovedPeerIsToldAndForgotten(t *testing.T) {
	var why string
	inWorld(t, func(e *end) {
		if e.N == 2 {
			e.config.Tell = func(x core.Event) {
				if x.Kind == core.EventDown {
					why = x.Detail
				}
			}
		}
	}, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Second)
		w.b.WantHeard(0, 1)
		w.b.RemovePeer(w.a.Name())
		w.Pass(time.Second)
		w.a.Says(w.b.End, 1, 3)
		w.Pass(time.Second)
		w.b.WantHeard(0, 0)
		if s := w.a.Of(w.b.End); !s.SessionSince.IsZero() {
			t.Errorf("a keeps keys that b has deleted: %+v", s)
		}
		if why != "the map has changed, or what it trusts" {
			t.Errorf("the log says %q", why)
		}
		w.b.Knows(w.a.End)
		w.a.Says(w.b.End, 4, 3)
		w.Pass(time.Second)
		w.b.WantHeard(4, 3)
	})
}

func TestQuietTunnelSaysNothing(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.Says(w.b.End, 0, 1)
		w.Pass(time.Minute)
		w.b.WantHeard(0, 1)
		before := w.Carried()
		w.Pass(30 * time.Minute)
		if n := w.Carried() - before; n != 0 {
			t.Errorf("%d datagrams in half an hour", n)
		}
	})
}
