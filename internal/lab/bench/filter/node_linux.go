package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/duel"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// plan is what a node is told on its command line.
type plan struct {
	Filtered bool
	Link     string
	Address  netip.Prefix
	Private  []byte // of the laboratory's own making
	Port     uint16
	Peer     key.WGPublic
	PeerIn   netip.Addr
	PeerAt   netip.AddrPort
}

// start starts a node on each host. n tells pairs apart.
func (f *arena) start(ctx context.Context, name string, n byte) (*duel.Pair, error) {
	private := [2]key.WGPrivate{key.NewWGPrivate(), key.NewWGPrivate()}
	hosts, port := [2]*lab.Host{f.a, f.b}, 4500+uint16(n)
	inside := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 254, n, byte(1 + i)}) }
	var pids [2]int
	for i, h := range hosts {
		p := plan{
			Filtered: name == "filtered", Link: fmt.Sprintf("bench%d", n), Address: netip.PrefixFrom(inside(i), 24), Private: private[i].Bytes(),
			Port: port, Peer: private[1-i].Public(), PeerIn: inside(1 - i), PeerAt: netip.AddrPortFrom(hosts[1-i].Addr(), port),
		}
		text, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		proc := h.Start(f.self, "node", string(text))
		begun, cancel := context.WithTimeout(ctx, 10*time.Second)
		err = proc.WaitLog(begun, "ready")
		cancel()
		if err != nil {
			return nil, fmt.Errorf("start %s on %s: %w; it says:\n%s", name, h.Name(), err, proc.Log())
		}
		pids[i] = proc.PID()
	}
	return duel.Between(name, f.a, f.b, inside(1), pids, f.set), nil
}

// serve is a node's process.
func serve(text string) error {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return fmt.Errorf("read the plan: %w", err)
	}
	private, err := key.ParseWGPrivate(p.Private)
	if err != nil {
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
	t, err := tunnel.New(tunnel.Config{
		Self: private.Public(), TUN: device, Sockets: []sock.Socket{socket}, PathMTU: sock.PathMTU,
		Transports: map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(wg.Config{Private: private})},
	})
	if err != nil {
		return err
	}
	if p.Filtered {
		table, err := filterFor(p.Address.Addr(), p.PeerIn)
		if err != nil {
			return err
		}
		t.SetFilter(table)
	}
	if err := raise(p); err != nil {
		return err
	}
	t.SetSources([]netip.Addr{p.Address.Addr()})
	if err := t.SetPeer(tunnel.PeerConfig{
		Key: p.Peer, Allowed: []netip.Prefix{netip.PrefixFrom(p.PeerIn, 32)}, Candidates: []netip.AddrPort{p.PeerAt},
	}); err != nil {
		return err
	}
	fmt.Println("ready")
	<-t.Done()
	return nil
}

// raise gives the device its address.
func raise(p plan) error {
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
