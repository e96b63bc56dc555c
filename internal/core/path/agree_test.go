package path

import (
	"testing"
	"time"
)

// oneWay reports whether the two nodes send on one and the same way.
func (s *sim) oneWay() bool {
	a, b := s.nodes[0], s.nodes[1]
	if !s.direct() || a.using.Remote.Addr() != b.box.Outside() || b.using.Remote.Addr() != a.box.Outside() {
		return false
	}
	seen, ok := a.box.Out(s.now, a.sockets[a.using.Socket], a.using.Remote)
	back, also := b.box.Out(s.now, b.sockets[b.using.Socket], b.using.Remote)
	return ok && also && seen == b.using.Remote && back == a.using.Remote
}

// Two who guess may find two ways, and each may take another one. They come to one: within two seconds while they speak all the time, else
// after a few packets more.
func TestGuessersAgreeOnOneWay(t *testing.T) {
	seeds := uint64(*worlds)
	if testing.Short() {
		seeds = 60
	}
	for _, c := range []struct {
		name  string
		loss  float64
		every time.Duration
		life  time.Duration
		bound time.Duration
	}{
		{"quietly", 0, 100 * time.Millisecond, 0, 2 * time.Second},
		{"a packet a second", 0, time.Second, 0, 8 * time.Second},
		{"with loss", 0.1, 100 * time.Millisecond, 0, 5 * time.Second},
		{"filters that forget", 0.02, 100 * time.Millisecond, 12 * time.Second, 4 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			var took []time.Duration
			apart := 0
			for seed := range seeds {
				s := newSim(t, seed, []string{"sym", "symaddr"}[seed%2], []string{"port", "port+rand", "fw"}[seed%3])
				if c.life > 0 {
					s.lifetime(c.life)
				}
				s.loss = c.loss
				if !s.bothTalk(10 * time.Second) {
					continue // luck decides
				}
				for _, n := range s.nodes {
					n.every = c.every
				}
				began := s.now
				if !s.oneWay() {
					apart++
				}
				if !s.run(90*time.Second, s.oneWay) {
					t.Errorf("seed %d: they never agree", seed)
					s.tellHistory()
					return
				}
				took = append(took, s.now.Sub(began))
				if s.now.Sub(began) > c.bound {
					t.Errorf("seed %d: they took %v to agree", seed, s.now.Sub(began))
					s.tellHistory()
				}
				turns := len(s.nodes[0].history) + len(s.nodes[1].history)
				s.run(20*time.Second, nil)
				if more := len(s.nodes[0].history) + len(s.nodes[1].history) - turns; more > 2 && c.loss == 0 {
					t.Errorf("seed %d: %d changes after they had agreed", seed, more)
					s.tellHistory()
				}
			}
			t.Logf("%d met, %d of them on two ways; agreed after p95 %v, at most %v", len(took), apart, percentile(took, 0.95), percentile(took, 1))
		})
	}
}
