package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// This file is what of a membership may be another while it is up: the tunnel goes on, with its sessions.

// Settings are what Amend changes; in Config they have the same names.
type Settings struct {
	MTU       int
	Port      uint16
	Kernel    bool
	Transport stream.Transport

	Offers       []netip.Prefix
	NoRoutes     bool
	NoMasquerade bool

	Exit    string
	ExitLAN bool
}

// Amend changes settings. What was so already is not disturbed. It may be called from any goroutine.
func (e *Engine) Amend(s Settings) {
	e.wanted.Store(&s)
	poke(e.amends)
}

// amend makes the newest settings those that hold.
func (e *Engine) amend() {
	was, kernel, s := e.cfg, e.kernel(), *e.wanted.Load()
	e.cfg.Offers, e.cfg.NoRoutes, e.cfg.NoMasquerade = s.Offers, s.NoRoutes, s.NoMasquerade
	e.cfg.Exit, e.cfg.ExitLAN = s.Exit, s.ExitLAN
	if !slices.Equal(was.Offers, s.Offers) {
		e.lookOut()
		e.offer()
		e.changed()
	}
	e.cfg.MTU, e.cfg.Port, e.cfg.Kernel, e.cfg.Transport = s.MTU, s.Port, s.Kernel, s.Transport
	if was.Transport != s.Transport {
		e.session.SetTransport(s.Transport)
	}
	if e.dev == nil {
		return
	}
	if was.Port != s.Port {
		e.setPort()
	}
	if e.mtu() != e.dev.mtu {
		e.setMTU()
	}
	if kernel != e.kernel() {
		e.dev.tunnel.SetKernel(e.kernel())
	}
	e.reroute(false)
	e.changed()
}

// setPort moves the tunnel to another port. Where that cannot be it stays at the one that it has, which is told, and tries again.
func (e *Engine) setPort() {
	defer e.changed()
	e.noPort, e.portAt = nil, time.Time{}
	if e.cfg.Port == e.dev.tunnel.Port() {
		return
	}
	if err := e.dev.tunnel.SetPort(e.cfg.Port); err != nil {
		e.log.Warn("port not changed", logx.Err, err)
		e.noPort, e.portAt = fmt.Errorf("the tunnel stays at UDP port %d: %w", e.dev.tunnel.Port(), err), time.Now().Add(retryMost)
		return
	}
	e.log.Info("port changed", "port", e.dev.tunnel.Port())
	e.report()
	e.note()
}

// setMTU tells host and tunnel: the tunnel first what it is to carry more, the host first what it is to send less.
func (e *Engine) setMTU() {
	d, n := e.dev, e.mtu()
	more := n > d.mtu
	if more {
		d.tunnel.SetMTU(n)
	}
	c := d.config
	if c.MTU = n; c.Interface != "" { // else it comes up in a moment
		if err := e.cfg.Outside.Host.Up(c); err != nil {
			p := problemOf("host-network", fmt.Errorf("set the MTU of %s: %w", d.name, err))
			e.fail(&p)
			return
		}
		d.config = c
	}
	if d.mtu = n; !more {
		d.tunnel.SetMTU(n)
	}
	e.log.Info("MTU changed", logx.Interface, d.name, "mtu", n)
}

// SetMTU implements Tunnel.
func (g *guided) SetMTU(n int) {
	if g.kernel != nil {
		if err := g.kernel.SetMTU(n); err != nil {
			g.log.Warn("the kernel's ESP", logx.Err, err)
		}
	}
	g.Tunnel.SetMTU(n)
}

// SetPort implements Tunnel.
func (g *guided) SetPort(port uint16) error {
	if g.Sockets == nil {
		return errors.New("this tunnel's sockets are not its own")
	}
	all, err := g.Sockets(port)
	if err != nil {
		return err
	}
	on := g.kernel != nil
	g.SetKernel(false)
	if err = g.SetSockets(all); err == nil {
		g.sockets = all
		g.unmapPort()
		g.mapPort()
	}
	if on {
		g.SetKernel(true)
	}
	return err
}

// SetKernel implements Tunnel.
func (g *guided) SetKernel(on bool) {
	g.noKernel = nil
	switch {
	case on && g.kernel == nil:
		g.openKernel()
	case !on && g.kernel != nil:
		g.lend(nil)
		if err := g.kernel.Close(); err != nil {
			g.log.Warn("the kernel's ESP is not closed", logx.Err, err)
		}
		g.kernel = nil
	}
}

// Kernel implements Tunnel.
func (g *guided) Kernel() (on bool, why error) { return g.kernel != nil, g.noKernel }

func (g *guided) openKernel() {
	if g.Helpers.Kernel == nil {
		g.noKernel = errors.New("this system has no ESP for us")
		return
	}
	k, err := g.Helpers.Kernel(g.device, g.State().MTU, g.sockets)
	if err != nil {
		g.noKernel = err
		return
	}
	g.kernel = k
	g.lend(k)
}

// lend has what is lent go to a kernel; nil: to nobody.
func (g *guided) lend(k ipsec.Kernel) {
	g.Consult(tunnel.IKE, func(now mono.Time, tr tunnel.Transport, _ func(key.WGPublic) *tunnel.Peer, out *tunnel.Out) {
		if d, err := ipsec.DeskOf(tr); err == nil {
			d.LendTo(now, k, g.Port(), g.log, out)
		}
	})
}
