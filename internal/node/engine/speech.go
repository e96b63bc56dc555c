package engine

import (
	"fmt"

	"github.com/cvlan/cvlan/internal/base/logx"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/policy/compile"
	"github.com/cvlan/cvlan/proto/control"
)

// Protocols are the tunnel protocols that a node speaks, for its tunnel.
func Protocols(c TunnelConfig) (map[tunnel.Class]tunnel.Build, error) {
	all := map[tunnel.Class]tunnel.Build{}
	if c.Speaks&control.WireGuard != 0 {
		all[tunnel.WireGuard] = wg.New(wg.Config{Private: c.Private, Now: c.Now})
	}
	if c.Speaks&control.IPsec != 0 {
		profile, err := crypt.NewProfile(c.Profile)
		if err != nil {
			return nil, fmt.Errorf("start the tunnel: %w", err)
		}
		all[tunnel.IKE] = ipsec.New(ipsec.Config{
			Keyer: ike.New(ike.Config{IKE: core.Config{Profile: profile}, Peers: c.Directory, Tell: c.Tell}),
		})
	}
	return all, nil
}

// classOf is a protocol's name in a tunnel.
func classOf(t control.Tunnels) tunnel.Class {
	if t == control.IPsec {
		return tunnel.IKE
	}
	return tunnel.WireGuard
}

// Prefer has the node say that it would rather speak a protocol; zero: it does not mind. It may be called from any goroutine.
func (e *Engine) Prefer(t control.Tunnels) {
	e.speech.Store(&control.Speech{Speaks: e.speaks(), Prefers: t})
	e.session.Restate()
}

// speaks is what this build and its configuration can.
func (e *Engine) speaks() control.Tunnels {
	if e.cfg.Speaks != 0 {
		return e.cfg.Speaks
	}
	return control.WireGuard | control.IPsec
}

// choose computes what is to be spoken with a peer. What peers see of this node counts, not what it would like to have said by now.
func (e *Engine) choose(p *netmap.Peer) netmap.Choice {
	self, _ := e.table.Self()
	own := self.Record.Speech
	own.Speaks &= e.speaks()
	required := e.rules.charter != nil && e.rules.charter.NeedsIPsec(self.User, compile.Other{Class: p.Class, User: p.User})
	n, _ := e.table.Network()
	return netmap.Choose(own, p.Record.Speech, required, n.Protocol)
}

// respeak has the tunnel speak with its peers what is chosen now, and tells it only of those with whom that has changed. Before rules that
// require IPsec are in force, those speak it already with whom it is required from now on; after that the others.
func (e *Engine) respeak(only bool) {
	if e.dev == nil {
		return
	}
	for p := range e.table.Peers() {
		was, known := e.directory.node(p.Record.Node)
		if !known || was.Record.WG != p.Record.WG {
			continue // the tunnel is told of it for the first time, soon
		}
		if c := e.choose(p); c != was.Choice && (c.Only || !only) {
			e.setPeer(p)
		}
	}
}

// speak keeps what is chosen for a peer that the tunnel is being told of; false: the two have nothing in common, and the tunnel is to
// forget the peer.
func (e *Engine) speak(p *netmap.Peer) (netmap.Choice, bool) {
	c := e.choose(p)
	if was, known := e.directory.node(p.Record.Node); !known || was.Choice != c {
		e.log.Debug("protocol of a peer", logx.Peer, p.Record.Node.String(), "protocol", c.By.String(), logx.Reason, c.Why.String())
		if !c.Open() {
			e.log.Warn("peer cannot be spoken with", logx.Peer, p.Record.Node.String(), logx.Reason, c.Why.String())
		}
		e.changed()
	}
	e.directory.put(p, c)
	return c, c.By != 0
}
