package ike_test

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

func TestFirstPacketWaitsForIKEAndIsAnswered(t *testing.T) {
	for _, profile := range []string{crypt.Modern, crypt.FIPS, crypt.CNSA1, crypt.NativeClients} {
		inWorld(t, func(e *end) {
			var err error
			if e.config.IKE.Profile, err = crypt.NewProfile(profile); err != nil {
				t.Fatal(err)
			}
		}, func(w *world) {
			w.a.says(w.b, 0, 10)
			w.pass(time.Second)
			w.b.wantHeard(0, 10)
			w.b.says(w.a, 0, 10)
			w.pass(rtt / 2)
			w.a.wantHeard(0, 10)
			for _, s := range []tunnel.PeerState{w.a.of(w.b), w.b.of(w.a)} {
				if s.Attempting || s.SessionSince.IsZero() || s.LastHandshake.IsZero() || len(s.Drops) != 0 {
					t.Errorf("%s: %+v", profile, s)
				}
			}
		})
	}
}

func TestBothMayBeginAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.says(w.b, 0, 10)
		w.b.says(w.a, 0, 10)
		w.pass(time.Second)
		w.b.wantHeard(0, 10)
		w.a.wantHeard(0, 10)
		for i := range 300 {
			w.a.says(w.b, i, 1)
			w.b.says(w.a, i, 1)
			w.pass(100 * time.Millisecond)
		}
		w.pass(time.Second)
		w.b.wantHeard(0, 300)
		w.a.wantHeard(0, 300)
	})
}

// Both ends talk, packets overtake each other, and keys are replaced every ten seconds. Nothing is lost and nothing comes twice.
func TestChangeOfKeysInFlowLosesNothing(t *testing.T) {
	inWorld(t, shortLived, func(w *world) {
		w.change(func() { w.jitter = rtt })
		n, per := brief(600, 200), 20
		for i := range n {
			w.a.says(w.b, i*per, per)
			w.b.says(w.a, i*per, per)
			w.pass(100 * time.Millisecond)
			if i%20 == 19 {
				w.pass(2 * rtt)
				w.b.wantHeard((i-19)*per, 20*per)
				w.a.wantHeard((i-19)*per, 20*per)
			}
		}
		if since := time.Since(w.a.of(w.b).SessionSince); since > 15*time.Second {
			t.Errorf("the keys are %v old", since)
		}
		for _, e := range []*end{w.a, w.b} {
			if d := e.State().Drops; len(d) != 0 {
				t.Errorf("%d drops %v", e.n, d)
			}
		}
	})
}

// Links lose and repeat; what arrives arrives once, and keys are replaced all the same.
func TestBadLinkIsSurvived(t *testing.T) {
	inWorld(t, shortLived, func(w *world) {
		w.change(func() { w.loss, w.twice, w.jitter = 0.2, 0.1, rtt })
		seen := map[int]bool{}
		sent := brief(3000, 500)
		for i := range sent {
			w.a.says(w.b, i, 1)
			w.pass(100 * time.Millisecond)
			for _, number := range w.b.heard() {
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
		w.a.says(w.b, 0, 1)
		w.pass(time.Second)
		w.b.wantHeard(0, 1)
		w.b.Close()
		w.b.boot()
		w.b.knows(w.a)
		w.a.knows(w.b)
		for i := range 600 {
			w.a.says(w.b, i, 1)
			w.pass(100 * time.Millisecond)
		}
		if got := w.b.heard(); len(got) == 0 || got[len(got)-1] != 599 {
			t.Errorf("%d packets have arrived after the restart; a: %+v", len(got), w.a.of(w.b))
		}
	})
}

// Who has restarted speaks first: its peer takes the new SAs at once.
func TestWhoRestartsIsUnderstoodAtOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.says(w.b, 0, 1)
		w.pass(time.Second)
		w.b.wantHeard(0, 1)
		w.b.Close()
		w.b.boot()
		w.b.knows(w.a)
		w.b.says(w.a, 7, 1)
		w.pass(time.Second)
		w.a.wantHeard(7, 1)
		w.a.says(w.b, 8, 1)
		w.pass(time.Second)
		w.b.wantHeard(8, 1)
	})
}

func TestWrongSecretMakesNothing(t *testing.T) {
	inWorld(t, func(e *end) {
		if e.n == 2 {
			e.secret = "another"
		}
	}, func(w *world) {
		w.a.says(w.b, 0, 5)
		w.pass(time.Second)
		if s := w.a.of(w.b); s.Waiting != 0 || s.Attempting || s.Drops[tunnel.NoSession.String()] != 5 {
			t.Errorf("%+v", s)
		}
		w.b.wantHeard(0, 0)
	})
}

func TestRemovedPeerIsToldAndForgotten(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.says(w.b, 0, 1)
		w.pass(time.Second)
		w.b.wantHeard(0, 1)
		w.b.RemovePeer(name(w.a.n))
		w.pass(time.Second)
		w.a.says(w.b, 1, 3)
		w.pass(time.Second)
		w.b.wantHeard(0, 0)
		if s := w.a.of(w.b); !s.SessionSince.IsZero() {
			t.Errorf("a keeps keys that b has deleted: %+v", s)
		}
		w.b.knows(w.a)
		w.a.says(w.b, 4, 3)
		w.pass(time.Second)
		w.b.wantHeard(4, 3)
	})
}

func TestQuietTunnelSaysNothing(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.a.says(w.b, 0, 1)
		w.pass(time.Minute)
		w.b.wantHeard(0, 1)
		before := w.carried
		w.pass(30 * time.Minute)
		if n := w.carried - before; n != 0 {
			t.Errorf("%d datagrams in half an hour", n)
		}
	})
}

// brief is all, or with -short less.
func brief(all, less int) int {
	if testing.Short() {
		return less
	}
	return all
}
