package bare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sched"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// Plan is what a node is told on its command line.
type Plan struct {
	Kind    string // the benchmark's own word for what it compares
	Link    string
	Address netip.Prefix
	Private []byte // of the laboratory's own making
	Port    uint16
	Peer    key.WGPublic
	PeerIn  netip.Addr
	PeerAt  netip.AddrPort
}

// Start starts a node of a kind on each of two hosts, by this program. n, from 1 to 255, tells pairs apart.
func Start(ctx context.Context, kind string, n byte, a, b *lab.Host, set deploy.Set) (*duel.Pair, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	private := [2]key.WGPrivate{key.NewWGPrivate(), key.NewWGPrivate()}
	hosts, port := [2]*lab.Host{a, b}, 4500+uint16(n)
	inside := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 254, n, byte(1 + i)}) }
	var pids [2]int
	for i, h := range hosts {
		text, err := json.Marshal(Plan{
			Kind: kind, Link: fmt.Sprintf("bare%d", n), Address: netip.PrefixFrom(inside(i), 24), Private: private[i].Bytes(),
			Port: port, Peer: private[1-i].Public(), PeerIn: inside(1 - i), PeerAt: netip.AddrPortFrom(hosts[1-i].Addr(), port),
		})
		if err != nil {
			return nil, err
		}
		proc := h.Start(self, "node", string(text))
		begun, cancel := context.WithTimeout(ctx, 10*time.Second)
		err = proc.WaitLog(begun, "ready")
		cancel()
		if err != nil {
			return nil, fmt.Errorf("start %s on %s: %w; it says:\n%s", kind, h.Name(), err, proc.Log())
		}
		pids[i] = proc.PID()
	}
	return duel.Between(kind, a, b, inside(1), pids, set), nil
}

// Setup is what kinds of nodes differ in.
type Setup struct {
	Transports map[tunnel.Class]tunnel.Build
	Filter     tunnel.Filter // nil: everything passes
}

// Node reports whether this process is a node; it has lived as one then, and failed with err.
func Node(setup func(Plan, key.WGPrivate) (Setup, error)) (is bool, err error) {
	if len(os.Args) != 3 || os.Args[1] != "node" {
		return false, nil
	}
	var p Plan
	if err := json.Unmarshal([]byte(os.Args[2]), &p); err != nil {
		return true, fmt.Errorf("read the plan: %w", err)
	}
	private, err := key.ParseWGPrivate(p.Private)
	if err != nil {
		return true, err
	}
	s, err := setup(p, private)
	if err != nil {
		return true, err
	}
	return true, p.live(private, s)
}

// live is a node's life.
func (p Plan) live(private key.WGPrivate, s Setup) error {
	if err := errors.Join(sched.Batch(), sched.Slack(time.Millisecond)); err != nil { // as cvland does
		return err
	}
	device, err := tun.Open(tun.Config{Name: p.Link, MTU: duel.MTU})
	if err != nil {
		return err
	}
	socket, err := sock.Open(sock.Config{Port: p.Port})
	if err != nil {
		return err
	}
	t, err := tunnel.New(tunnel.Config{Self: private.Public(), TUN: device, Sockets: []sock.Socket{socket}, PathMTU: sock.PathMTU, Transports: s.Transports})
	if err != nil {
		return err
	}
	t.SetFilter(s.Filter)
	if err := p.raise(); err != nil {
		return err
	}
	t.SetSources([]netip.Addr{p.Address.Addr()})
	if err := t.SetPeer(tunnel.PeerConfig{
		Key: p.Peer, Allowed: []netip.Prefix{netip.PrefixFrom(p.PeerIn, 32)}, Candidates: []netip.AddrPort{p.PeerAt}, TakesPartial: true,
	}); err != nil {
		return err
	}
	fmt.Println("ready")
	<-t.Done()
	return nil
}

// raise gives the device its address.
func (p Plan) raise() error {
	link, err := netlink.LinkByName(p.Link)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(p.Address.String())
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, a); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
