//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
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

// A stream is a TCP connection through the tunnel that is written to at a steady pace.
type stream struct {
	conn net.Conn
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	last    time.Time
	longest time.Duration // without a byte
	bytes   int
	failed  error
}

// pours begins a stream to a host's address inside the network: 16 KB each 5 ms, some 26 Mbit/s.
func (w *world) pours(from, to *node) *stream {
	w.t.Helper()
	s := &stream{stop: make(chan struct{}), last: time.Now()}
	var l net.Listener
	at := netip.AddrPortFrom(to.in(office).Self.Addresses[0], 0).String()
	w.must(to.Host.Do(func() (err error) { l, err = net.Listen("tcp", at); return err }))
	defer l.Close()
	w.must(from.Host.Do(func() (err error) { s.conn, err = net.DialTimeout("tcp", l.Addr().String(), 3*time.Second); return err }))
	c, err := l.Accept()
	w.must(err)
	s.done.Go(func() { s.read(c) })
	s.done.Go(s.write)
	return s
}

func (s *stream) write() {
	defer s.conn.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	block := make([]byte, 16<<10)
	for {
		if _, err := s.conn.Write(block); err != nil {
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
			return
		}
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

func (s *stream) read(c net.Conn) {
	defer c.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		now := time.Now()
		s.mu.Lock()
		s.longest, s.last = max(s.longest, now.Sub(s.last)), now
		s.bytes += n
		if err != nil && err != io.EOF {
			s.failed = err
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// fromNow forgets earlier stalls.
func (s *stream) fromNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = 0
}

// end closes the stream and returns how much arrived and the longest time without a byte.
func (s *stream) end() (bytes int, stall time.Duration, err error) {
	close(s.stop)
	_ = s.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	s.done.Wait()
	return s.bytes, s.longest, s.failed
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
	numbered, tcp := n[0].sends(n[1]), w.pours(n[0], n[1])
	w.flows(numbered, time.Now(), heals)
	begin := time.Now()
	tcp.fromNow()
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
	bytes, stall, err := tcp.end()
	w.must(err)
	t.Logf("from the relay to the direct way: %v; TCP: %d bytes, longest stall %v; %d and %d datagrams went directly", tally, bytes, stall.Round(time.Millisecond), there, back)
	if there == 0 || back == 0 {
		t.Error("nothing went directly")
	}
	if tally.Lost > max(5, tally.Sent/100) || stall > 2*time.Second {
		t.Errorf("%v; TCP stood still for %v", tally, stall)
	}
}
