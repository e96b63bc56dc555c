package forward

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// wanderer is a node that registers at one relay after another.
type wanderer struct {
	tenant ident.Tenant
	node   ident.Node
	at     [3]*caller // its registrations
}

// shire is a region in which anything may happen, against three rules: a frame reaches nobody but whom it was for, it crosses the region once at most, and when everything
// is well again, everybody reaches everybody of the tenant, and nothing is left of who has gone.
type shire struct {
	*country
	nodes []*wanderer
	lost  float64 // of 64 frames
	dice  uint64
}

func (s *shire) roll() uint64 {
	s.dice = s.dice*6364136223846793005 + 1442695040888963407
	return s.dice >> 33
}

func newShire(t *testing.T) *shire {
	s := &shire{country: newRegionOf(t, 3, Config{Idle: time.Minute})}
	for i := range 5 {
		s.nodes = append(s.nodes, &wanderer{tenant: ident.Tenant(i%2 + 1), node: ident.Node(100 + i)})
	}
	s.lose = func([]byte) bool { return float64(s.roll()%64) < s.lost }
	return s
}

func (s *shire) joins(w *wanderer, i int) {
	if s.relays[i].off {
		return
	}
	w.at[i] = s.relays[i].joins(w.tenant, w.node, place(10*i+int(w.node-99)))
}

func (s *shire) leaves(w *wanderer, i int) {
	if c := w.at[i]; c != nil {
		c.transaction++
		s.relays[i].arrive(c.at, (&relay.Control{Kind: relay.Bye, Client: c.Client, Transaction: c.transaction}).Append(nil, &c.Secret))
		w.at[i] = nil
	}
}

// sends opens a channel if it can and sends on it, and reports whether the receiver gets the frame at one of its relays. Nobody else may.
func (s *shire) sends(t *rapid.T, from, to *wanderer, i int) bool {
	c, st := from.at[i], s.relays[i]
	if c == nil || st.off {
		return false
	}
	if st.m.client(c.Client) == nil { // it was forgotten
		from.at[i] = nil
		return false
	}
	if s.roll()%2 == 0 {
		st.calls(c, to.node)
	}
	a := st.opens(c, to.node, netip.Addr{})
	if a.Kind != relay.Opened {
		return false
	}
	if from.tenant != to.tenant {
		t.Fatal("a channel between tenants")
	}
	return s.arrives(t, from, to, i, a.Channel)
}

func (s *shire) arrives(t *rapid.T, from, to *wanderer, i int, ch relay.Number) (got bool) {
	for _, r := range s.relays {
		clear(r.inbox)
	}
	c := from.at[i]
	f := make([]byte, 64)
	relay.PutData(f, ch, relay.ChannelKey(&c.Secret, ch))
	before := s.hops
	s.relays[i].arrive(c.at, f)
	if s.hops > before+1 {
		t.Fatal("a frame crosses the region twice")
	}
	for j, r := range s.relays {
		for at, frames := range r.inbox {
			for _, f := range frames {
				if _, tag, _, err := relay.ReadDeliver(f); err != nil {
					continue
				} else if b := to.at[j]; b == nil || b.at != at || tag != relay.TagOf(&b.Secret, from.node) {
					t.Fatalf("a frame for %v came to another", to.node)
				}
				got = true
			}
		}
	}
	return got
}

// step does one thing.
func (s *shire) act(t *rapid.T) {
	w := rapid.SampledFrom(s.nodes).Draw(t, "node")
	i := rapid.IntRange(0, 2).Draw(t, "relay")
	switch rapid.IntRange(0, 9).Draw(t, "what") {
	case 0, 1:
		s.joins(w, i)
	case 2:
		s.leaves(w, i)
	case 3, 4, 5:
		s.sends(t, w, rapid.SampledFrom(s.nodes).Draw(t, "to"), i)
	case 6:
		s.cut[[2]int{i, (i + 1) % 3}] = !s.cut[[2]int{i, (i + 1) % 3}]
	case 7:
		if s.relays[i].off = true; rapid.Bool().Draw(t, "restarts") {
			s.forget(i)
		}
	case 8:
		s.lost = float64(rapid.SampledFrom([]int{0, 0, 8, 30}).Draw(t, "lost"))
	case 9:
		s.run(rapid.SampledFrom([]time.Duration{100 * time.Millisecond, 2 * time.Second, 40 * time.Second}).Draw(t, "time"))
	}
}

// forget has a relay restart.
func (s *shire) forget(i int) {
	s.relays[i].restart()
	for _, w := range s.nodes {
		w.at[i] = nil
	}
}

// heal makes everything well, and gives relays the time to find that out.
func (s *shire) heal() {
	s.lost = 0
	clear(s.cut)
	for i, r := range s.relays {
		if r.off {
			s.forget(i)
		}
	}
	s.run(time.Minute)
	s.run(2 * time.Minute) // who is silent is forgotten
	for n, w := range s.nodes {
		w.at = [3]*caller{}
		s.joins(w, n%3)
	}
}

func TestWhateverHappensToARegion(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := newShire(t)
		for n, w := range s.nodes {
			s.joins(w, n%3)
		}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			s.act(r)
		}
		s.heal()
		for n, from := range s.nodes {
			for _, to := range s.nodes {
				if from != to && from.tenant == to.tenant && !s.sends(r, from, to, n%3) && !s.sends(r, from, to, n%3) {
					r.Fatalf("%v does not reach %v", from.node, to.node)
				}
			}
		}
		for n, w := range s.nodes {
			s.leaves(w, n%3)
		}
		s.run(3 * time.Second)
		for _, st := range s.relays {
			m := st.m
			if g := &m.region; m.Channels() != 0 || len(m.byPair)+len(g.far)+len(g.abroad)+len(g.transit)+len(g.asks)+len(g.asking)+g.held != 0 {
				r.Fatalf("of who has gone are left %d channels, %d pairs, %d far, %d abroad, %d in transit, %d asks", m.Channels(), len(m.byPair), len(g.far), len(g.abroad), len(g.transit), len(g.asks))
			}
		}
	})
}

// FuzzNeighbour lets a neighbour that has gone mad say anything that it can seal, and a stranger what it cannot.
func FuzzNeighbour(f *testing.F) {
	f.Add([]byte{byte(relay.Opened), 0, 1, byte(relay.Refused), 5, 0, byte(relay.Alive), 0, 0}, []byte{0x20, 12})
	f.Add([]byte{byte(relay.Ask), 100, 200, byte(relay.See), 1, 0, byte(relay.Close), 1, 0, byte(relay.Bye), 0, 0}, make([]byte, 32))
	f.Fuzz(func(t *testing.T, script, raw []byte) {
		c := newRegionOf(t, 2, Config{Transit: 8})
		x, y := c.relays[0], c.relays[1]
		a, b := x.joins(1, 100, place(1)), y.joins(1, 200, place(2))
		ch := x.channelTo(a, b.node)
		n, guest := x.m.neighbour(y.id), x.m.here(noTenant, ident.Node(y.id))
		for i := 0; i+3 <= min(len(script), 3*64); i += 3 {
			q := relay.Control{Kind: relay.Kind(script[i]), Reason: relay.Reason(script[i+1]), Channel: relay.Number(script[i+1]), Tenant: 1, From: ident.Node(script[i+1]),
				Node: ident.Node(script[i+2]), Transaction: x.m.region.transaction - uint64(script[i+2]%8)}
			for _, number := range []struct {
				n relay.Number
				s *relay.Secret
			}{{n.number, &n.secret}, {guest.number, &guest.secret}} {
				q.Client = number.n
				x.arrive(y.at, q.Append(nil, number.s))
			}
			x.arrive(y.at, (&relay.Notice{Kind: relay.Closed, Number: relay.Number(script[i+1]), Echo: uint64(script[i+2])}).Append(nil, &n.secret))
			x.arrive(y.at, raw)
			x.arrive(place(99), raw)
		}
		c.run(5 * time.Second)
		if x.m.Channels() > 1+8 || len(x.m.region.asks) != 0 || x.m.Clients() != 1 {
			t.Errorf("%d channels, %d asks, %d clients", x.m.Channels(), len(x.m.region.asks), x.m.Clients())
		}
		x.reaches(a, ch, y, b)
	})
}
