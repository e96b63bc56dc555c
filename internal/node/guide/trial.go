package guide

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/core/stun"
)

// trial is a spare socket with which it is found out for how long the NAT keeps an idle mapping. No way to anybody hangs on it.
type trial struct {
	*stun.Trial
	socket uint16
}

// spreadMost is how much later than possible trials begin, drawn, so that not all nodes of a building try at once.
const spreadMost = time.Minute

func (g *Guide) spread() time.Duration {
	var b [1]byte
	_, _ = io.ReadFull(g.cfg.Rand, b[:]) // without randomness all are equal, no more
	return spreadMost * time.Duration(b[0]) / 256
}

// moved forgets what was known of the NAT.
func (g *Guide) moved(now mono.Time) {
	g.abandon()
	g.own.moves(now, g.spread())
	g.lasts(now)
}

// lasts has relays and peers kept in touch as often as the NAT demands.
func (g *Guide) lasts(now mono.Time) {
	known := g.own.lifetime.Known()
	g.cfg.Log.Debug("the NAT keeps idle mappings", logx.Took, known)
	if known == 0 {
		known = relayed.NATTimeout
	}
	g.links.NATTimeout(now, known)
}

// try begins a trial when one is due, and goes on with it.
func (g *Guide) try(now mono.Time) {
	var main stun.Out
	if g.trial == nil {
		idle := g.own.lifetime.Begin(now)
		if idle == 0 {
			return
		}
		if g.trial = g.begin(idle); g.trial == nil {
			g.own.lifetime.Ended(now, stun.Unclear)
			return
		}
		g.trial.Start(now, &g.asked)
	}
	g.trial.Tick(now, &g.asked, &main)
	g.request(g.asked.Transmits, g.trial.socket)
	g.request(main.Transmits, 0)
	g.asked.Reset()
	g.tried(now)
}

// begin opens a socket, if there is a server of IPv4 that has answered lately; over IPv6 there is no NAT as a rule, and firewalls are as patient.
func (g *Guide) begin(idle time.Duration) *trial {
	var servers []netip.AddrPort
	for _, s := range g.own.servers {
		if s.Addr().Unmap().Is4() {
			servers = append(servers, s)
		}
	}
	if len(servers) == 0 || !slices.ContainsFunc(sorted(g.own.mapped), func(a netip.AddrPort) bool { return a.Addr().Is4() }) {
		return nil
	}
	socket, err := g.host.OpenSocket()
	if err != nil {
		return nil
	}
	g.trials++
	return &trial{stun.NewTrial(servers[g.trials%len(servers)], idle, g.cfg.Rand), socket}
}

func (g *Guide) request(all []stun.Transmit, socket uint16) {
	for i := range all {
		to := g.host.Relay(all[i].To)
		if socket != 0 {
			to = g.host.Direct(all[i].To, netip.Addr{}, socket)
		}
		g.host.Transmit(all[i].Data, to)
	}
}

// tried ends a trial that is over.
func (g *Guide) tried(now mono.Time) {
	if g.trial == nil || g.trial.Verdict() == stun.Undecided {
		return
	}
	v := g.trial.Verdict()
	g.abandon()
	if g.own.lifetime.Ended(now, v) {
		g.lasts(now)
		g.tell(now)
		g.act(now)
		g.ferry(now)
	}
}

// abandon ends a trial whatever its verdict.
func (g *Guide) abandon() {
	if g.trial != nil {
		g.host.CloseSocket(g.trial.socket)
		g.trial = nil
	}
}
