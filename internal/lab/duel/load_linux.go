package duel

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/load"
)

// TCP is a load of parallel connections from A to B.
type TCP struct {
	Streams int
	For     time.Duration
	Reverse bool // B sends
}

// Run is what a TCP load gave.
type Run struct {
	load.Throughput
	Cost
}

// TCP sends as fast as the tunnel takes it.
func (p *Pair) TCP(ctx context.Context, t TCP) (r Run, err error) {
	r.Cost, err = p.costed(func() error {
		return p.generate(ctx, t.For, &r.Throughput, "tcp", "-streams", fmt.Sprint(t.Streams), "-for", t.For.String(), fmt.Sprintf("-reverse=%t", t.Reverse))
	})
	return r, err
}

// Speed is in Gbit/s of payload.
func (r Run) Speed() float64 { return r.Gbps }

// CPUPerGB is what both daemons took for 10^9 bytes of payload, in seconds.
func (r Run) CPUPerGB() float64 { return r.CPU.Seconds() / float64(r.Bytes) * 1e9 }

// MachinePerGB is what the whole machine took, load and kernel included.
func (r Run) MachinePerGB() float64 { return r.Machine.Seconds() / float64(r.Bytes) * 1e9 }

// SentAgain is how many segments were retransmitted.
func (r Run) SentAgain() float64 { return float64(r.Retransmits) }

func (r Run) String() string {
	again := ""
	if r.Retransmits >= 0 {
		again = fmt.Sprintf(", %d again", r.Retransmits)
	}
	return fmt.Sprintf("%5.2f Gbit/s %5.2f CPU-s/GB (machine %5.2f%s)", r.Gbps, r.CPUPerGB(), r.MachinePerGB(), again)
}

// UDP is a load of packets from A to B at a steady rate.
type UDP struct {
	Rate float64 // packets a second
	Size int     // bytes of payload
	For  time.Duration
}

// Stream is what a UDP load gave.
type Stream struct {
	load.Delivery
	Cost
}

// UDP sends packets.
func (p *Pair) UDP(ctx context.Context, u UDP) (s Stream, err error) {
	s.Cost, err = p.costed(func() error {
		return p.generate(ctx, u.For, &s.Delivery, "udp", "-rate", fmt.Sprintf("%.0f", u.Rate), "-size", fmt.Sprint(u.Size), "-for", u.For.String())
	})
	return s, err
}

// CPUPerPacket is what both daemons took for a packet that arrived, in microseconds.
func (s Stream) CPUPerPacket() float64 {
	return float64(s.CPU.Nanoseconds()) / 1e3 / float64(max(s.Received, 1))
}

func (s Stream) String() string {
	return fmt.Sprintf("%6.1f kpps %5.2f µs a packet, %4.1f %% lost, %d reordered", s.ReceivedKpps, s.CPUPerPacket(), 100*s.Loss, s.Reordered)
}

// Ping is a load of small packets that B sends back.
type Ping struct {
	Count int
	Gap   time.Duration
}

// Lasts is for how long it sends.
func (g Ping) Lasts() time.Duration { return time.Duration(g.Count) * g.Gap }

// Ping measures round trips through the tunnel.
func (p *Pair) Ping(ctx context.Context, g Ping) (load.RoundTrips, error) {
	return PingBetween(ctx, p.A, p.To, p.set, g)
}

// PingBetween measures round trips from a host to an address where Serve was called. Half of the pings must come back.
func PingBetween(ctx context.Context, from *lab.Host, to netip.Addr, set deploy.Set, g Ping) (r load.RoundTrips, err error) {
	err = generate(ctx, from, set, to, g.Lasts(), &r, "ping", "-count", fmt.Sprint(g.Count), "-gap", g.Gap.String())
	if err == nil && r.Received < r.Sent/2 {
		err = fmt.Errorf("ping %v from %s: %d of %d came back", to, from.Name(), r.Received, r.Sent)
	}
	return r, err
}
