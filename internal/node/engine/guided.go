package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/portmap"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// Helpers are what a guide and its tunnel have besides. Each may be missing.
type Helpers struct {
	Ferry    guide.Ferry    // connects to relays; it belongs to the tunnel, also when that does not start
	Gateways []portmap.Host // where routers may be asked for a port, one a family
	// Sockets opens others for the tunnel, as many, on a port; 0: any.
	Sockets func(port uint16) ([]sock.Socket, error)
	// Kernel opens the system's ESP, beside the tunnel's device and on the port of its sockets.
	Kernel func(device string, mtu int, sockets []sock.Socket) (Kernel, error)
}

// Kernel is the system's ESP.
type Kernel interface {
	ipsec.Kernel
	SetMTU(int) error
	Close() error
}

// Guided starts a tunnel whose ways a guide of its own finds.
func Guided(c TunnelConfig, t tunnel.Config, h Helpers) (Tunnel, error) {
	g := &guided{Helpers: h, device: t.TUN.Name(), sockets: t.Sockets, log: c.Log, guide: guide.New(guide.Config{
		Private: c.Private, Self: c.Self, Home: c.Home, Overlay: c.Overlay, Ferry: h.Ferry, Now: c.Now, Report: c.Report, Punch: c.Punch, Log: c.Log,
	})}
	t.Guide, t.Refused = g.guide.Build, append(path.Loopback(), c.Overlay...)
	var err error
	if g.Tunnel, err = tunnel.New(t); err != nil {
		g.guide.Close()
		return nil, err
	}
	g.SetFilter(c.Filter) // nothing passes before: there are no peers
	g.SetKernel(c.Kernel)
	g.mapPort()
	return g, nil
}

type guided struct {
	*tunnel.Tunnel
	Helpers
	device  string
	sockets []sock.Socket
	log     *slog.Logger
	guide   *guide.Guide

	mappers []*portmap.Mapper // by the number of the gateway
	unmap   context.CancelFunc
	mapping sync.WaitGroup // their runs
	routers routers

	kernel   Kernel // nil: there is none
	noKernel error
}

// routers are what routers promise, by the number of the gateway. Each tells from a goroutine of its own.
type routers struct {
	mu   sync.Mutex
	open []netip.AddrPort
	of   uint16 // our port; what is told of another one is out of date
}

// mapPort has routers lead a port to ours, or let in what comes to it.
func (g *guided) mapPort() {
	var ctx context.Context
	ctx, g.unmap = context.WithCancel(context.Background())
	port := g.Port()
	g.routers.mu.Lock()
	g.routers.open, g.routers.of = make([]netip.AddrPort, len(g.Gateways)), port
	g.routers.mu.Unlock()
	g.mappers = nil
	for i, host := range g.Gateways {
		m := portmap.New(host, portmap.Config{Port: port, Log: g.log, Changed: func(is portmap.Mapping) { g.mapped(i, port, is) }})
		g.mappers = append(g.mappers, m)
		g.mapping.Go(func() { m.Run(ctx) })
	}
}

// unmapPort takes that back, which takes a moment: g.mapping ends then.
func (g *guided) unmapPort() { g.unmap() }

// mapped is told what a router promises of a port of ours.
func (g *guided) mapped(i int, port uint16, is portmap.Mapping) {
	if is.Inner {
		is.External = netip.AddrPort{}
	}
	g.routers.mu.Lock()
	defer g.routers.mu.Unlock()
	if g.routers.of != port {
		return
	}
	g.routers.open[i] = is.External
	g.guide.SetRouter(slices.DeleteFunc(slices.Clone(g.routers.open), func(a netip.AddrPort) bool { return !a.IsValid() }))
}

// again has routers asked whether they still know us.
func (g *guided) again() {
	for _, m := range g.mappers {
		m.Again()
	}
}

// Guide implements Tunnel.
func (g *guided) Guide() Guide { return g.guide }

// Wake implements Tunnel.
func (g *guided) Wake() {
	g.again()
	g.Tunnel.Wake()
}

// Resume implements Tunnel.
func (g *guided) Resume(slept time.Duration) {
	g.again()
	g.Tunnel.Resume(slept)
}

// Close implements Tunnel.
func (g *guided) Close() error {
	g.unmapPort()
	err := g.Tunnel.Close() // before the kernel's end, so that nothing is lent to it any more
	if g.kernel != nil {
		err = errors.Join(err, g.kernel.Close())
	}
	g.guide.Close()
	g.mapping.Wait()
	return err
}
