package ike_test

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
	"github.com/cvlan/cvlan/internal/node/wg"
)

// both is an end that speaks WireGuard and IPsec.
type both struct {
	*end
	private key.WGPrivate
}

// inBoth tells a story of two ends that speak both protocols and have chosen WireGuard.
func inBoth(t *testing.T, story func(w *world, a, b *both)) {
	t.Helper()
	inWorld(t, nil, func(w *world) {
		w.a.Close()
		w.b.Close()
		a, b := w.both(w.a), w.both(w.b)
		a.chooses(b, tunnel.WireGuard, false)
		b.chooses(a, tunnel.WireGuard, false)
		story(w, a, b)
	})
}

func (w *world) both(e *end) *both {
	x := &both{end: e, private: key.NewWGPrivate()}
	e.Is(x.private.Public())
	x.Start(w.Links, map[tunnel.Class]tunnel.Build{
		tunnel.WireGuard: wg.New(wg.Config{Private: x.private}), tunnel.IKE: ipsec.New(ipsec.Config{Keyer: ike.New(e.config)}),
	})
	return x
}

func (x *both) chooses(other *both, c tunnel.Class, strict bool) {
	x.w.Helper()
	x.Knows(other.End, func(p *tunnel.PeerConfig) { p.Protocol, p.Strict = c, strict })
}

// talks has both send each other a packet every 10 ms, and fails if one is lost.
func talks(w *world, a, b *both, d time.Duration) {
	w.Helper()
	for n := int(d / (10 * time.Millisecond)); n > 0; n -= 1000 {
		most := min(n, 1000)
		for i := range most {
			a.Says(b.End, i, 1)
			b.Says(a.End, i, 1)
			w.Pass(10 * time.Millisecond)
		}
		w.Pass(time.Second)
		b.WantHeard(0, most)
		a.WantHeard(0, most)
	}
}

func (x *both) wantProtocol(other *both, want string) {
	x.w.Helper()
	if s := x.Of(other.End); s.Protocol != want || s.Chosen != want {
		x.w.Errorf("%d speaks %s with %d, and has chosen %s; want %s", x.N, s.Protocol, other.N, s.Chosen, want)
	}
}

// Each end hears of the other protocol at its own time. There and back, under traffic, nothing is lost.
func TestAnotherProtocolTakesOverWithoutLoss(t *testing.T) {
	for _, apart := range []time.Duration{0, rtt / 4, time.Second, time.Minute} {
		inBoth(t, func(w *world, a, b *both) {
			talks(w, a, b, 5*time.Second)
			a.wantProtocol(b, "wireguard")
			for _, c := range []tunnel.Class{tunnel.IKE, tunnel.WireGuard, tunnel.IKE} {
				a.chooses(b, c, false)
				if apart > 0 {
					talks(w, a, b, apart)
				}
				b.chooses(a, c, false)
				talks(w, a, b, 5*time.Second)
				a.wantProtocol(b, c.Protocol())
				b.wantProtocol(a, c.Protocol())
			}
			for _, x := range []*both{a, b} { // handshakes may cross
				if d := x.State().Drops; len(d) > 1 || len(d) == 1 && d[tunnel.Crossed.String()] == 0 {
					t.Errorf("apart by %v: drops %v", apart, d)
				}
			}
		})
	}
}

// What is no longer chosen is forgotten after a while, and comes back when it is chosen again.
func TestProtocolThatIsNoLongerUsedIsForgotten(t *testing.T) {
	inBoth(t, func(w *world, a, b *both) {
		a.chooses(b, tunnel.IKE, false)
		b.chooses(a, tunnel.IKE, false)
		talks(w, a, b, time.Second)
		for _, c := range []tunnel.Class{tunnel.WireGuard, tunnel.IKE} {
			a.chooses(b, c, false)
			b.chooses(a, c, false)
			talks(w, a, b, 8*time.Minute)
			for _, x := range []*both{a, b} {
				if n := x.Sessions(c.Other()); n != 0 {
					t.Errorf("%d has %d sessions of the protocol that it left for %s", x.N, n, c.Protocol())
				}
			}
			a.wantProtocol(b, c.Protocol())
		}
	})
}

// Whoever must not be spoken with by anything else waits for it.
func TestStrictChoiceSealsNothingByTheOldProtocol(t *testing.T) {
	inBoth(t, func(w *world, a, b *both) {
		talks(w, a, b, time.Second)
		a.chooses(b, tunnel.IKE, true)
		if s := a.Of(b.End); s.Protocol != "ipsec" {
			t.Errorf("packets still leave by %s", s.Protocol)
		}
		talks(w, a, b, time.Second)
		a.wantProtocol(b, "ipsec")
	})
}

// A link that loses packets while both change their minds over and over does not keep them apart.
func TestChangesOfMindOnABadLinkEndWell(t *testing.T) {
	inBoth(t, func(w *world, a, b *both) {
		w.Change(func() { w.Loss, w.Twice, w.Jitter = 0.2, 0.1, rtt })
		minds := []tunnel.Class{tunnel.WireGuard, tunnel.IKE}
		for i := range tunneltest.Brief(60, 20) {
			a.chooses(b, minds[i*7/3%2], i%5 == 0)
			b.chooses(a, minds[i*5/2%2], i%7 == 0)
			for n := range 40 {
				a.Says(b.End, n, 1)
				b.Says(a.End, n, 1)
				w.Pass(50 * time.Millisecond)
			}
			a.Heard()
			b.Heard()
		}
		w.Change(func() { w.Loss, w.Twice, w.Jitter = 0, 0, 0 })
		for _, c := range minds {
			a.chooses(b, c, true)
			b.chooses(a, c, true)
			w.Pass(30 * time.Second)
			a.Says(b.End, 0, 1)
			w.Pass(10 * time.Second)
			a.Heard()
			b.Heard()
			talks(w, a, b, 5*time.Second)
			a.wantProtocol(b, c.Protocol())
			b.wantProtocol(a, c.Protocol())
		}
	})
}
