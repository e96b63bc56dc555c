package engine

import (
	"context"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
)

// watch is the engine's eye on routers that others could stand in for, and on the exit. Packets go to one and none comes back: then it is asked, through its relay, and
// its ways are looked at; one that is nowhere heard is left. The controller may learn of it a minute later.
type watch struct {
	again   time.Time // when to look; zero: there is nobody to look at
	routers map[ident.Node]*watched
}

// watched is one router.
type watched struct {
	sent, heard uint64 // packets, at the last look
	asked       bool   // an answer is waited for
	shunned     time.Time
}

// set says at whom to look.
func (w *watch) set(list []Route, exit ident.Node) {
	fresh := map[ident.Node]*watched{}
	keep := func(n ident.Node) {
		if fresh[n] = w.routers[n]; fresh[n] == nil {
			fresh[n] = &watched{}
		}
	}
	if exit != 0 {
		keep(exit)
	}
	for _, r := range list {
		if len(r.Standby) == 0 || r.State != RouteInUse && r.State != RouteAway {
			continue
		}
		keep(r.Via)
		for _, n := range r.Standby {
			keep(n)
		}
	}
	if w.routers = fresh; len(fresh) == 0 {
		w.again = time.Time{}
	} else if w.again.IsZero() {
		w.again = time.Now().Add(watchEvery)
	}
}

// silent reports whether a router did not answer lately.
func (w *watch) silent(n ident.Node) bool {
	x := w.routers[n]
	return x != nil && time.Now().Before(x.shunned)
}

// look compares what has gone to the routers in use, and what has come.
func (e *Engine) look() {
	w := &e.routing.watch
	w.again = time.Now().Add(watchEvery)
	over := false
	for n, x := range w.routers {
		if !x.shunned.IsZero() && (!time.Now().Before(x.shunned) || e.backAgain(n, x)) {
			x.shunned, over = time.Time{}, true
		}
	}
	if over {
		e.reroute(false)
	}
	used := map[ident.Node]bool{}
	for _, n := range e.routing.via {
		used[n] = true
	}
	for n, x := range w.routers {
		p := e.table.Peer(n)
		if p == nil || !used[n] || x.asked || e.dev == nil {
			continue
		}
		sent, heard := e.dev.tunnel.Traffic(p.Record.WG)
		doubt := sent > x.sent && heard == x.heard
		if x.sent, x.heard = sent, heard; doubt {
			x.asked = true
			e.ask(n, p.Record.WG)
		}
	}
}

// backAgain reports whether an exit is heard again that did not answer. Nobody stands in for it, so that nothing speaks against it.
func (e *Engine) backAgain(n ident.Node, x *watched) bool {
	p := e.table.Peer(n)
	if n != e.routing.exit.Node || p == nil || e.dev == nil {
		return false
	}
	_, heard := e.dev.tunnel.Traffic(p.Record.WG)
	return heard != x.heard
}

// ask asks a router whether it is there, beside the loop.
func (e *Engine) ask(n ident.Node, k key.WGPublic) {
	t, since := e.dev.tunnel, time.Now()
	e.helpers.Go(func() {
		there := e.answers(t, k, since)
		select {
		case e.asks <- func() { e.answered(n, k, there) }:
		case <-e.life.Done():
		}
	})
}

// answers asks. A tunnel without a guide knows no more than what was heard.
func (e *Engine) answers(t Tunnel, k key.WGPublic, since time.Time) bool {
	_, before := t.Traffic(k)
	ctx, cancel := context.WithTimeout(e.life, answerWithin)
	defer cancel()
	g := t.Guide()
	if g != nil {
		if _, err := g.Probe(ctx, k); err == nil {
			return true
		}
	}
	<-ctx.Done() // there may be no relay to ask through
	if _, now := t.Traffic(k); now != before || e.life.Err() != nil {
		return true
	}
	if g == nil {
		return false
	}
	ways, _ := g.Ways(k)
	for _, c := range ways.Candidates {
		if !c.Proven.IsNever() && ways.Ago(c.Proven) < time.Since(since) {
			return true
		}
	}
	return false
}

// answered takes the result.
func (e *Engine) answered(n ident.Node, k key.WGPublic, there bool) {
	x := e.routing.watch.routers[n]
	if x == nil {
		return
	}
	if x.asked = false; there {
		return
	}
	if p := e.table.Peer(n); p == nil || p.Record.WG != k {
		return
	}
	if x.shunned.IsZero() {
		e.log.Info("router does not answer", logx.Peer, n.String())
	}
	x.shunned = time.Now().Add(shunFor)
	e.reroute(false)
}
