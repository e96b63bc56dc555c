//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/series"
	"github.com/cvlan/cvlan/relay"
)

// late is when a datagram that has not come back is lost.
const late = time.Second

// sends begins a series to a peer, which sends it back.
func (n *node) sends(peer *node) *series.Series {
	n.w.t.Helper()
	n.w.must(series.Echo(peer.Host))
	s, err := series.Begin(n.Host, peer.in(office).Self.Addresses[0])
	n.w.must(err)
	return s
}

// pours begins a stream to a peer.
func (n *node) pours(peer *node) *series.Stream {
	n.w.t.Helper()
	tcp, err := series.Pour(n.Host, peer.Host, peer.in(office).Self.Addresses[0])
	n.w.must(err)
	return tcp
}

// flows waits until a series that something may have happened to is back for good, that is, lacked nothing for half a second, and tells what
// that has cost since then.
func (w *world) flows(s *series.Series, since time.Time, limit time.Duration) series.Tally {
	w.t.Helper()
	w.eventually(limit, "the series is back", func() error {
		if t := s.Since(time.Now().Add(-500*time.Millisecond), 100*time.Millisecond); t.Lost > 0 || t.Quiet > 100*time.Millisecond || time.Since(since) < 600*time.Millisecond {
			return fmt.Errorf("of the last half second: %v", t)
		}
		return nil
	})
	return s.Since(since, 100*time.Millisecond)
}

// stats asks a relay what it does.
func (w *world) stats(r *deploy.Relay) (s relay.Stats) {
	w.t.Helper()
	out, err := r.Run(w.ctx, "stats", "--json")
	w.must(err)
	w.must(json.Unmarshal([]byte(out), &s))
	return s
}

// carried is how many packets a relay has forwarded.
func (w *world) carried(r *deploy.Relay) (n uint64) {
	w.t.Helper()
	for _, t := range w.stats(r).Tenants {
		n += t.Packets
	}
	return n
}

// directly waits until both ends use the direct way.
func (w *world) directly(a, b *node, limit time.Duration) {
	w.t.Helper()
	a.reachesBy(b.Host.Name(), local.PathDirect, limit)
	b.reachesBy(a.Host.Name(), local.PathDirect, limit)
}

// The way changes under traffic that goes on: nothing worth mentioning is lost, and TCP does not stall.
func TestTrafficMovesFromTheRelayToTheDirectWay(t *testing.T) {
	w := begin(t)
	_, n, _, _ := w.apart(0, "port", "port")
	w.lab.CutUDP(n[0].Host, n[1].Host)
	n[0].reachesBy("n2", local.PathRelay, soon)
	n[1].reachesBy("n1", local.PathRelay, soon)
	direct, err := w.lab.CountUDP(n[0].Host, n[1].Host, 4) // WireGuard's transport data
	w.must(err)
	defer direct.Close()
	numbered, tcp := n[0].sends(n[1]), n[0].pours(n[1])
	w.flows(numbered, time.Now(), heals)
	begin := time.Now()
	tcp.FromNow()
	w.lab.Heal(n[0].Host, n[1].Host)
	w.directly(n[0], n[1], 3*heals)
	w.eventually(heals, "three seconds of traffic", func() error {
		if t := numbered.Since(begin, late); t.Sent < 300 {
			return fmt.Errorf("%v", t)
		}
		return nil
	})
	numbered.End(late)
	tally := numbered.Since(begin, 0)
	there, back, err := direct.Read()
	w.must(err)
	bytes, stall, err := tcp.End()
	w.must(err)
	t.Logf("from the relay to the direct way: %v; TCP: %d bytes, longest stall %v; %d and %d datagrams went directly", tally, bytes, stall.Round(time.Millisecond), there, back)
	if there == 0 || back == 0 {
		t.Error("nothing went directly")
	}
	if tally.Lost > 1 || stall > 400*time.Millisecond { // goals on a quiet machine: one in a thousand, 200 ms; see make natgrid
		t.Errorf("%v; TCP stood still for %v", tally, stall)
	}
}
