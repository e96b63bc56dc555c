package engine

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/portmap"
)

// Helpers are what a guide has besides the tunnel. Each may be missing.
type Helpers struct {
	Ferry   guide.Ferry  // connects to relays; it belongs to the tunnel, also when that does not start
	Gateway portmap.Host // where a router may be asked for a port
	// Kernel is what the tunnel's ESP is lent to; it is closed after the tunnel. NoKernel is why there is none, if there was to be one.
	Kernel   io.Closer
	NoKernel error
}

// Guided starts a tunnel whose ways a guide of its own finds.
func Guided(c TunnelConfig, t tunnel.Config, h Helpers) (Tunnel, error) {
	g := &guided{kernel: h.Kernel, noKernel: h.NoKernel, guide: guide.New(guide.Config{
		Private: c.Private, Self: c.Self, Home: c.Home, Overlay: c.Overlay, Ferry: h.Ferry, Now: c.Now, Report: c.Report, Punch: c.Punch, Log: c.Log,
	})}
	t.Guide, t.Refused = g.guide.Build, append(path.Loopback(), c.Overlay...)
	var err error
	if g.Tunnel, err = tunnel.New(t); err != nil {
		g.guide.Close()
		return nil, errors.Join(err, g.closeKernel())
	}
	g.SetFilter(c.Filter) // nothing passes before: there are no peers
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	if h.Gateway != nil {
		g.mapper = portmap.New(h.Gateway, portmap.Config{Port: g.Port(), Log: c.Log, Changed: g.mapped})
		g.helpers.Go(func() { g.mapper.Run(ctx) })
	}
	return g, nil
}

type guided struct {
	*tunnel.Tunnel
	guide   *guide.Guide
	mapper  *portmap.Mapper // nil: no router is asked
	cancel  context.CancelFunc
	helpers sync.WaitGroup

	kernel   io.Closer // nil: there is none
	noKernel error
}

// Kernel implements Tunnel.
func (g *guided) Kernel() (on bool, why error) { return g.kernel != nil, g.noKernel }

func (g *guided) closeKernel() error {
	if g.kernel == nil {
		return nil
	}
	return g.kernel.Close()
}

// mapped is told what the router promises.
func (g *guided) mapped(m portmap.Mapping) {
	var all []netip.AddrPort
	if m.External.IsValid() && !m.Inner {
		all = append(all, m.External)
	}
	g.guide.SetRouter(all)
}

// Guide implements Tunnel.
func (g *guided) Guide() Guide { return g.guide }

// Wake implements Tunnel.
func (g *guided) Wake() {
	if g.mapper != nil {
		g.mapper.Again()
	}
	g.Tunnel.Wake()
}

// Resume implements Tunnel.
func (g *guided) Resume(slept time.Duration) {
	if g.mapper != nil {
		g.mapper.Again()
	}
	g.Tunnel.Resume(slept)
}

// Close implements Tunnel.
func (g *guided) Close() error {
	g.cancel()
	err := errors.Join(g.Tunnel.Close(), g.closeKernel())
	g.guide.Close()
	g.helpers.Wait()
	return err
}
