package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/proto/relay"
)

// region is some relays on real sockets who know each other.
type region struct {
	id     ident.Relay
	mu     *sync.Mutex
	relays map[ident.Relay]*world
}

// AdmitRelay implements Region.
func (r region) AdmitRelay(c *x509.Certificate) (id ident.Relay, notAfter time.Time, err error) {
	if _, err = fmt.Sscanf(c.Subject.CommonName, "relay/%d", &id); err != nil {
		return 0, time.Time{}, errors.New("not a relay's certificate")
	}
	return id, c.NotAfter, nil
}

// Register implements Region.
func (r region) Register(_ context.Context, id ident.Relay) (w relay.Welcome, at netip.AddrPort, err error) {
	r.mu.Lock()
	to := r.relays[id]
	r.mu.Unlock()
	cert, err := caller.Certificate(fmt.Sprintf("relay/%d", r.id))
	if err != nil {
		return w, at, err
	}
	conn, w, err := caller.DialTLS(to.addr, cert)
	if err != nil {
		return w, at, err
	}
	defer conn.Close()
	return w, conn.RemoteAddr().(*net.TCPAddr).AddrPort(), nil
}

// regionOf starts relays, and waits until frames can go from each to each.
func regionOf(t *testing.T, n int) (all []*world) {
	r := region{mu: new(sync.Mutex), relays: map[ident.Relay]*world{}}
	var ids []ident.Relay
	for i := range n {
		id := ident.Relay(i + 1)
		w := start(t, func(c *Config) { c.Region = region{id, r.mu, r.relays} })
		r.mu.Lock()
		r.relays[id] = w
		r.mu.Unlock()
		ids, all = append(ids, id), append(all, w)
	}
	for i, w := range all {
		var others []ident.Relay
		for _, id := range ids {
			if id != ids[i] {
				others = append(others, id)
			}
		}
		w.server.SetRegion(others)
	}
	for _, w := range all {
		w.until(func(s Stats) bool {
			up := 0
			for _, o := range s.Region {
				if o.Up {
					up++
				}
			}
			return up == n-1
		})
	}
	return all
}

// until waits until the relay's counters are so.
func (w *world) until(so func(Stats) bool) {
	w.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(caller.Patience)
	for !so(w.server.Stats()) {
		select {
		case <-tick.C:
		case <-late:
			w.Fatalf("not in time: %+v", w.server.Stats())
		}
	}
}

func TestNodesAtTwoRelaysOfARegionReachEachOtherByEveryPairOfWays(t *testing.T) {
	all := regionOf(t, 3)
	x, y := all[0], all[1]
	node := ident.Node(100)
	for _, here := range []string{"UDP", "TLS", "QUIC"} {
		for _, there := range []string{"UDP", "TLS", "QUIC"} {
			t.Run(here+" to "+there, func(t *testing.T) {
				x, y := &world{t, x.server, x.addr}, &world{t, y.server, y.addr}
				node += 2
				a, b := x.by(here)(7, node), y.by(there)(7, node+1)
				ab, ba := x.open(a, node+1), y.open(b, node)
				for _, size := range []int{16, 100, 1100} {
					x.carries(a, b, ab, node, size)
					y.carries(b, a, ba, node+1, size)
				}
			})
		}
	}
	for _, w := range []*world{x, y} {
		s := w.server.Stats()
		if m := s.Relayed[7]; m.Packets != 27 || s.Went.Packets != 27 || s.Came.Packets != 27 {
			t.Errorf("metered %d packets, %d went, %d came; want 27 each", m.Packets, s.Went.Packets, s.Came.Packets)
		}
	}
}

func (w *world) by(way string) func(ident.Tenant, ident.Node) *caller.Caller {
	return map[string]func(ident.Tenant, ident.Node) *caller.Caller{"UDP": w.overUDP, "TLS": w.overTLS, "QUIC": w.overQUIC}[way]
}

func TestANodeOfNoRelayOfTheRegionIsAbsent(t *testing.T) {
	all := regionOf(t, 2)
	a := all[0].overUDP(1, 1)
	all[1].overUDP(2, 2) // of another tenant
	for _, to := range []ident.Node{2, 3} {
		got, err := a.Ask(relay.Control{Kind: relay.Open, Node: to})
		if err != nil || got.Kind != relay.Refused || got.Reason != relay.Absent {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestARelayThatIsNoNeighbourIsTurnedAway(t *testing.T) {
	all := regionOf(t, 2)
	cert, err := caller.Certificate("relay/9")
	if err != nil {
		t.Fatal(err)
	}
	if c, _, err := caller.DialTLS(all[0].addr, cert); err == nil {
		c.Close()
		t.Error("it is a neighbour")
	}
	all[0].server.SetRegion(nil)
	if got, err := all[1].overUDP(1, 1).Ask(relay.Control{Kind: relay.Open, Node: 2}); err != nil || got.Reason != relay.Absent {
		t.Errorf("%+v, %v", got, err)
	}
	all[1].until(func(s Stats) bool { return len(s.Region) == 1 && !s.Region[0].Up })
	if s := all[0].server.Stats(); len(s.Region) != 0 || s.Frames[forward.DropForged] != 0 {
		t.Errorf("%+v", s)
	}
}
