package duel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

// StartOurs starts a controller and joins two hosts to a network of their own.
func StartOurs(ctx context.Context, ctl, a, b *lab.Host, set deploy.Set) (*Pair, error) {
	p, _, err := startOurs(ctx, ctl, nil, a, b, set)
	return p, err
}

// StartRelayed is StartOurs with a relay on a host of its own. It also returns the node on A.
func StartRelayed(ctx context.Context, ctl, relay, a, b *lab.Host, set deploy.Set) (*Pair, *deploy.Node, error) {
	return startOurs(ctx, ctl, relay, a, b, set)
}

func startOurs(ctx context.Context, ctl, relay, a, b *lab.Host, set deploy.Set) (*Pair, *deploy.Node, error) {
	c, err := set.Controller(ctx, ctl)
	if err != nil {
		return nil, nil, err
	}
	if relay != nil {
		if _, err := set.Relay(ctx, c, relay, "relay"); err != nil {
			return nil, nil, err
		}
	}
	if _, err := c.Admin(ctx, "", "network", "create", "bench"); err != nil {
		return nil, nil, err
	}
	k, err := c.Key(ctx, "bench", "--uses", "2")
	if err != nil {
		return nil, nil, err
	}
	var first *deploy.Node
	p := &Pair{Name: "cvlan", A: a, B: b, set: set}
	for i, h := range []*lab.Host{a, b} {
		n, err := set.Node(ctx, h, "--mtu", fmt.Sprint(MTU))
		if err != nil {
			return nil, nil, err
		}
		if _, err := n.Join(ctx, k); err != nil {
			return nil, nil, err
		}
		if i == 0 {
			first = n
		}
		p.PIDs[i] = n.Proc.PID()
		if err := p.learn(ctx, n); err != nil {
			return nil, nil, fmt.Errorf("learn of the daemon on %s: %w", h.Name(), err)
		}
	}
	return p, first, nil
}

// learn asks the daemon of A for its WireGuard port and key, and that of B for its address.
func (p *Pair) learn(ctx context.Context, n *deploy.Node) error {
	if n.Host == p.B {
		out, err := n.CLI(ctx, "ip", "-4")
		if err != nil {
			return err
		}
		p.To, err = netip.ParseAddr(strings.TrimSpace(out))
		return err
	}
	out, err := n.CLI(ctx, "status", "--json")
	if err != nil {
		return err
	}
	var s local.Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return err
	}
	if len(s.Networks) != 1 {
		return fmt.Errorf("it is in %d networks instead of one", len(s.Networks))
	}
	p.Port = s.Networks[0].Port
	return p.Key.UnmarshalText([]byte(s.Networks[0].Self.Key))
}
