package duel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/measure"
)

// loadPort is where loadgen serves on B.
const loadPort = 5201

// Pair is two ends of one tunnel.
type Pair struct {
	Name string // "cvlan" or "stock"
	A, B *lab.Host
	To   netip.Addr // of B, inside the tunnel
	Key  key.WGPublic
	Port uint16 // of A's WireGuard, and above its public key
	PIDs [2]int // of the daemons on A and B
	set  deploy.Set
}

// Between is a tunnel that somebody else has started: to is B's address inside, pids are the daemons on A and B.
func Between(name string, a, b *lab.Host, to netip.Addr, pids [2]int, set deploy.Set) *Pair {
	return &Pair{Name: name, A: a, B: b, To: to, PIDs: pids, set: set}
}

// Serve starts on a host what all loads from other hosts go to.
func Serve(h *lab.Host, set deploy.Set) {
	h.Start(set.Path("tools/loadgen"), "serve", "-listen", fmt.Sprintf(":%d", loadPort))
}

// Warm makes the first handshake and fills the caches.
func (p *Pair) Warm(ctx context.Context) error {
	_, err := p.TCP(ctx, TCP{Streams: 1, For: time.Second})
	return err
}

// Memory is what the larger of both daemons has in memory now, and what the larger had at most, in bytes.
func (p *Pair) Memory() (now, peak int64, err error) {
	for _, pid := range p.PIDs {
		u, err := measure.Process(pid)
		if err != nil {
			return 0, 0, err
		}
		now, peak = max(now, u.RSS), max(peak, u.PeakRSS)
	}
	return now, peak, nil
}

// Cost is the processor time that something took.
type Cost struct {
	CPU     time.Duration // of both daemons
	Machine time.Duration // of the whole machine
}

// spent returns the processor time until now.
func (p *Pair) spent() (c Cost, err error) {
	for _, pid := range p.PIDs {
		one, err := measure.CPU(pid)
		if err != nil {
			return c, err
		}
		c.CPU += one
	}
	c.Machine, err = measure.Busy()
	return c, err
}

// costed measures what f costs, once the machine is at rest.
func (p *Pair) costed(f func() error) (Cost, error) {
	if err := rest(); err != nil {
		return Cost{}, err
	}
	before, err := p.spent()
	if err != nil {
		return Cost{}, err
	}
	if err := f(); err != nil {
		return Cost{}, err
	}
	after, err := p.spent()
	return Cost{after.CPU - before.CPU, after.Machine - before.Machine}, err
}

// rest waits until the machine does next to nothing: stock's daemon goes on for a while after a load, and that would be whose turn comes
// next to bear. Other people's work is not waited for longer than patience.
func rest() error {
	const look, patience, little = 250 * time.Millisecond, 15 * time.Second, 25 * time.Millisecond
	for until := time.Now().Add(patience); time.Now().Before(until); {
		before, err := measure.Busy()
		if err != nil {
			return err
		}
		time.Sleep(look)
		after, err := measure.Busy()
		if err != nil || after-before < little {
			return err
		}
	}
	return nil
}

// generate runs loadgen on A and reads its result. It may take as long as the load lasts, and a grace.
func (p *Pair) generate(ctx context.Context, lasts time.Duration, result any, command string, args ...string) error {
	return generate(ctx, p.A, p.set, p.To, lasts, result, command, args...)
}

func generate(ctx context.Context, from *lab.Host, set deploy.Set, to netip.Addr, lasts time.Duration, result any, command string, args ...string) error {
	const grace = 20 * time.Second
	ctx, cancel := context.WithTimeout(ctx, lasts+grace)
	defer cancel()
	args = append([]string{command, "-to", netip.AddrPortFrom(to, loadPort).String()}, args...)
	out, err := from.Run(ctx, set.Path("tools/loadgen"), args...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), result)
}
