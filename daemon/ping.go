package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/daemon/state"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/policy/filter"
)

// Bounds of a ping.
const (
	pingPayload = 56
	pingTime    = 2 * time.Second
	maxPayload  = 65_000
	maxPingTime = time.Minute
)

// Ping implements localapi.Backend.
func (d *Daemon) Ping(ctx context.Context, r local.PingRequest) (local.Pong, error) {
	if r.Size < 0 || r.Size > maxPayload || r.TimeoutMS < 0 || r.TimeoutMS > int(maxPingTime.Milliseconds()) || r.Via != "" && r.Via != local.PathRelay {
		return local.Pong{}, local.CodeInvalid.Problem("ping", fmt.Sprintf("size is at most %d bytes, the time at most %v, via is relay or nothing", maxPayload, maxPingTime), "")
	}
	size, limit := r.Size, time.Duration(r.TimeoutMS)*time.Millisecond
	if size == 0 {
		size = pingPayload
	}
	if limit == 0 {
		limit = pingTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t, err := d.await(ctx, r.Peer, r.Network)
	if err != nil {
		return local.Pong{}, err
	}
	e, _ := t.m.alive()
	if e == nil {
		return local.Pong{}, t.down()
	}
	if r.Via == local.PathRelay && t.behind {
		return local.Pong{}, local.CodeInvalid.Problem("ping "+t.dest()+" through a relay", "only a machine of the network can be asked that way", "ask the one in front of it: cvlan ping --relay "+t.name)
	}
	if r.Via == local.PathRelay {
		return d.probe(ctx, &t, limit)
	}
	began := time.Now()
	rtt, err := e.Ping(ctx, t.addr, size)
	switch {
	case errors.Is(err, engine.ErrDown):
		return local.Pong{}, t.down()
	case err != nil && t.denied(e.Status(), began):
		return local.Pong{}, local.CodeDenied.Problem("ping "+t.dest(), "the network's policy lets no echo request through to it", fmt.Sprintf("see it: sudo cvlan policy log; an admin sees why with: cvlan policy explain %s %s/icmp", t.s.Self.Record.Name, t.dest()))
	case err != nil && ctx.Err() != nil:
		return local.Pong{}, t.silent(limit, size)
	case err != nil:
		return local.Pong{}, local.CodeUnreachable.Problem("ping "+t.dest(), err.Error(), "")
	}
	p := local.Pong{Schema: local.Schema, Peer: t.name, Network: t.s.Network.Name, Address: t.addr, RTT: rtt, Protocol: protocolWG}
	p.Path, p.Relay, p.Endpoint = taken(e.Status(), &t)
	return p, nil
}

// await finds a peer. A network that is just coming up has until ctx ends to do so.
func (d *Daemon) await(ctx context.Context, peer, network string) (target, error) {
	starts := func(m *member) bool {
		e, broke := m.alive()
		if e == nil {
			return broke == nil && m.wanted() == state.Up
		}
		return e.Status().State == engine.Starting
	}
	for {
		change := d.Changed()
		t, err := d.findBehind(peer, network)
		if err == nil && !starts(t.m) || err != nil && !slices.ContainsFunc(d.all(), starts) {
			return t, err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return t, err
		}
	}
}

// probe asks the peer's daemon through the relay.
func (d *Daemon) probe(ctx context.Context, t *target, limit time.Duration) (local.Pong, error) {
	g := t.s.Guide()
	if g == nil {
		return local.Pong{}, t.down()
	}
	rtt, err := g.Probe(ctx, t.key)
	switch {
	case errors.Is(err, guide.ErrNoRelay):
		return local.Pong{}, t.unrelayed(limit, g.Links())
	case err != nil && ctx.Err() != nil:
		return local.Pong{}, local.CodeUnreachable.Problem("ping "+t.name+" through a relay", fmt.Sprintf("the relay is there, and no answer came within %v", limit),
			"is it switched on? cvlan status shows when it was seen last")
	case err != nil:
		return local.Pong{}, local.CodeUnreachable.Problem("ping "+t.name+" through a relay", err.Error(), "see the relays that there are: sudo cvlan netcheck")
	}
	p := local.Pong{Schema: local.Schema, Peer: t.name, Network: t.s.Network.Name, Address: t.addr, RTT: rtt, Path: local.PathRelay, Protocol: protocolWG}
	if w, ok := g.Ways(t.key); ok {
		for _, c := range w.Candidates {
			if c.Way.Relay != 0 && p.Relay == "" {
				p.Relay = relayName(t.s, w.Links[c.Way.Relay].Relay)
			}
		}
	}
	return p, nil
}

func (t target) down() error {
	return local.CodeUnreachable.Problem("ping "+t.name, fmt.Sprintf("the network %s is not up", t.s.Network.Name), "see why: cvlan status")
}

// denied reports whether this node's filter has held back echo requests to the peer since then.
func (t target) denied(s *engine.Status, since time.Time) bool {
	if s.Rules.Filter == nil {
		return false
	}
	denials, _ := s.Rules.Filter.Denials(0)
	return slices.ContainsFunc(denials, func(x flow.Denial) bool {
		return !x.In && x.Dst == t.addr && (x.Proto == filter.ICMP || x.Proto == filter.ICMPv6) && !x.At.Before(since)
	})
}

// lost reports whether no way leads to a peer that was just sent to.
func (t target) lost() bool {
	g := t.s.Guide()
	if g == nil {
		return false
	}
	w, ok := g.Ways(t.key)
	return ok && !w.Chosen.IsValid()
}

// unrelayed says why no relay has led to a peer, in all the time that there was.
func (t target) unrelayed(limit time.Duration, links []relayed.Status) error {
	var reached []string
	for _, l := range links {
		if l.Up {
			reached = append(reached, relayName(t.s, l.Relay))
		}
	}
	why, hint := "the network has no relay", "cvlan-controller serve --with-relay is one"
	switch {
	case len(reached) > 0:
		why = fmt.Sprintf("within %v it was at none of the relays that answer this machine: %s", limit, strings.Join(reached, ", "))
		hint = "is it switched on? cvlan status shows when it was seen last; if it is, see there which relays it reaches: sudo cvlan netcheck"
	case len(t.s.Relays) > 0:
		why, hint = fmt.Sprintf("no relay has answered this machine within %v", limit), "see what this network lets through: sudo cvlan netcheck"
	}
	return local.CodeUnreachable.Problem("ping "+t.name+" through a relay", why, hint)
}

// silent says what is known of a peer that did not answer.
func (t target) silent(limit time.Duration, size int) error {
	live := t.s.Live()[t.key]
	hint := "is it switched on and connected? cvlan status shows when it was seen last"
	switch {
	case t.behind:
		hint = fmt.Sprintf("it is behind %s: does that answer (cvlan ping %s), and does what has this address answer echo requests?", t.name, t.name)
	case t.s.State == engine.Offline:
		hint = "the controller does not answer this machine either: is it online? see: sudo cvlan doctor"
	case t.online && len(t.s.Relays) > 0 && t.lost():
		hint = fmt.Sprintf("no relay that both can reach answers, and there is no direct path: sudo cvlan peers path %s tells of each, sudo cvlan netcheck what this network lets through", t.name)
	case size > pingPayload && !live.LastHandshake.IsZero() && time.Since(live.LastHandshake) < sessionLife:
		hint = "does a shorter one come back? what drops long packets without a word on the way is found out within a minute or two"
	case !live.LastHandshake.IsZero() && time.Since(live.LastHandshake) < sessionLife:
		hint = "the tunnel to it stands: does its own firewall drop echo requests?"
	case t.online && len(t.s.Relays) == 0:
		hint = "both are online, but there is no direct path, and no relay to go round by: cvlan-controller serve --with-relay is one"
	case t.online:
		hint = fmt.Sprintf("it is connected to the controller, but there is no path to it: does a firewall drop UDP between the two, port %d here?", t.s.Port)
	}
	return local.CodeUnreachable.Problem("ping "+t.dest(), fmt.Sprintf("no answer within %v", limit), hint)
}
