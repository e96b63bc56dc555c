package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/load"
	"github.com/cvlan/cvlan/internal/lab/measure"
)

const (
	loadPort  = 5201
	stockPort = 51820
	stockLink = "wgs0"
)

// A pair is two ends of one tunnel.
type pair struct {
	a, b *lab.Host
	to   netip.Addr // of b, inside the tunnel
	pids []int
}

// run is one load on one pair.
type run struct {
	gbps  float64
	bytes int64
	cpu   time.Duration // of both daemons
	busy  time.Duration // of the whole machine
}

// heat is the same load on both pairs, one after the other.
type heat struct{ ours, stock run }

func (r run) cpuPerGB() float64  { return r.cpu.Seconds() / float64(r.bytes) * 1e9 }
func (r run) busyPerGB() float64 { return r.busy.Seconds() / float64(r.bytes) * 1e9 }
func (r run) String() string {
	return fmt.Sprintf("%5.2f Gbit/s %5.2f CPU-s/GB (machine %5.2f)", r.gbps, r.cpuPerGB(), r.busyPerGB())
}

// cvlanPair joins both hosts to a network of their own.
func cvlanPair(ctx context.Context, ctl, a, b *lab.Host, o options) (*pair, error) {
	c, err := o.set.Controller(ctx, ctl)
	if err != nil {
		return nil, err
	}
	if _, err := c.Admin(ctx, "", "network", "create", "bench"); err != nil {
		return nil, err
	}
	k, err := c.Key(ctx, "bench", "--uses", "2")
	if err != nil {
		return nil, err
	}
	p := &pair{a: a, b: b}
	for _, h := range []*lab.Host{a, b} {
		n, err := o.set.Node(ctx, h, "--mtu", fmt.Sprint(mtu))
		if err != nil {
			return nil, err
		}
		if _, err := n.Join(ctx, k); err != nil {
			return nil, err
		}
		p.pids = append(p.pids, n.Proc.PID())
		out, err := n.CLI(ctx, "ip", "-4")
		if err != nil {
			return nil, err
		}
		if p.to, err = netip.ParseAddr(strings.TrimSpace(out)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// stockPair starts wireguard-go on both hosts.
func stockPair(ctx context.Context, a, b *lab.Host, set deploy.Set) (*pair, error) {
	p := &pair{a: a, b: b, to: netip.MustParseAddr("10.255.0.2")}
	keys := [2]key.WGPrivate{key.NewWGPrivate(), key.NewWGPrivate()}
	hosts := [2]*lab.Host{a, b}
	for i, h := range hosts {
		proc := h.Start(set.Path("tools/wireguard-go"), "-f", stockLink)
		p.pids = append(p.pids, proc.PID())
		peer := keys[1-i].Public()
		text := fmt.Sprintf("set=1\nprivate_key=%s\nlisten_port=%d\npublic_key=%x\nendpoint=%s:%d\nallowed_ip=10.255.0.%d/32\n\n",
			keys[i].Hex(), stockPort, peer[:], hosts[1-i].Addr(), stockPort, 2-i)
		if err := configure(ctx, h.Path("/run/wireguard/"+stockLink+".sock"), text); err != nil {
			return nil, fmt.Errorf("configure wireguard-go on %s: %w; its output:\n%s", h.Name(), err, proc.Log())
		}
		if err := h.Do(func() error { return raise(fmt.Sprintf("10.255.0.%d/24", 1+i)) }); err != nil {
			return nil, fmt.Errorf("raise %s on %s: %w", stockLink, h.Name(), err)
		}
	}
	return p, nil
}

// configure speaks wireguard-go's configuration protocol; the socket appears a moment after the start.
func configure(ctx context.Context, socket, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	for err != nil && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		c, err = d.DialContext(ctx, "unix", socket)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte(text)); err != nil {
		return err
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || answer != "errno=0\n" {
		return fmt.Errorf("answered %q: %w", answer, err)
	}
	return nil
}

func raise(addr string) error {
	link, err := netlink.LinkByName(stockLink)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, a); err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// warm makes the first handshake and fills the caches.
func (p *pair) warm(ctx context.Context, set deploy.Set) error {
	_, err := p.load(ctx, set, 1, time.Second)
	return err
}

// load sends over parallel streams from a to b and says what it cost.
func (p *pair) load(ctx context.Context, set deploy.Set, streams int, each time.Duration) (r run, err error) {
	ctx, cancel := context.WithTimeout(ctx, each+15*time.Second)
	defer cancel()
	cpu, busy, err := p.spent()
	if err != nil {
		return r, err
	}
	out, err := p.a.Run(ctx, set.Path("tools/loadgen"), "tcp", "-to", fmt.Sprintf("%s:%d", p.to, loadPort), "-streams", fmt.Sprint(streams), "-for", each.String())
	if err != nil {
		return r, err
	}
	var t load.Throughput
	if err := json.Unmarshal([]byte(out), &t); err != nil {
		return r, err
	}
	cpu2, busy2, err := p.spent()
	return run{gbps: t.Gbps, bytes: t.Bytes, cpu: cpu2 - cpu, busy: busy2 - busy}, err
}

// spent returns the processor time of both daemons, and of the machine.
func (p *pair) spent() (cpu, busy time.Duration, err error) {
	for _, pid := range p.pids {
		u, err := measure.Process(pid)
		if err != nil {
			return 0, 0, err
		}
		cpu += u.CPU
	}
	busy, err = measure.Busy()
	return cpu, busy, err
}
