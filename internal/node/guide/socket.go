package guide

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/stun"
)

// asking is a spare socket that finds out where it is seen from outside.
type asking struct {
	socket uint16
	mate   *mate
	client *stun.Client
}

// open opens sockets for a peer. One alone finds out first where it is seen from outside; many are to be quick.
func (g *Guide) open(now mono.Time, m *mate, n int) {
	for range n {
		s, err := g.host.OpenSocket()
		if err != nil {
			g.cfg.Log.Debug("no socket to look for a way", logx.Err, err)
			return
		}
		if n > 1 || len(g.own.servers) == 0 {
			g.finder.SocketOpened(now, m.id, s, netip.AddrPort{}, &g.decisions)
			continue
		}
		a := &asking{s, m, stun.NewClient(g.own.servers, g.cfg.Rand)}
		if err := a.client.Start(now, &g.asked); err != nil { // it goes without
			g.asked.Reset()
			g.finder.SocketOpened(now, m.id, s, netip.AddrPort{}, &g.decisions)
			continue
		}
		g.asking = append(g.asking, a)
		g.asks(now, a)
	}
}

// asks does what the client of a spare socket decided.
func (g *Guide) asks(now mono.Time, a *asking) {
	for i := range g.asked.Transmits {
		t := &g.asked.Transmits[i]
		g.host.Transmit(t.Data, g.host.Direct(t.To, netip.Addr{}, a.socket))
	}
	over, mapped := false, netip.AddrPort{}
	for _, e := range g.asked.Events {
		over = over || e.Kind == stun.Done || e.Kind == stun.Mapped
		if e.Kind == stun.Mapped && !mapped.IsValid() {
			mapped = e.Addr
		}
	}
	g.asked.Reset()
	if !over {
		return
	}
	for i, other := range g.asking {
		if other == a {
			g.asking = append(g.asking[:i:i], g.asking[i+1:]...)
			break
		}
	}
	if a.mate.talk == nil { // forgotten meanwhile
		g.host.CloseSocket(a.socket)
		return
	}
	g.finder.SocketOpened(now, a.mate.id, a.socket, mapped, &g.decisions)
	g.act(now)
}

// askedOf finds the client of a spare socket.
func (g *Guide) askedOf(socket uint16) *asking {
	for _, a := range g.asking {
		if a.socket == socket {
			return a
		}
	}
	return nil
}
