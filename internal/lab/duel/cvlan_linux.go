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
	c, err := set.Controller(ctx, ctl)
	if err != nil {
		return nil, err
	}
	if _, err := c.Admin(ctx, "", "network", "create", "bench"); err != nil {
		return nil, err
	}
	k, err := c.Key(ctx, "bench", "--uses", "2")
	if err != nil {
		return nil, err
	}
	p := &Pair{Name: "cvlan", A: a, B: b, set: set}
	for i, h := range []*lab.Host{a, b} {
		n, err := set.Node(ctx, h, "--mtu", fmt.Sprint(MTU))
		if err != nil {
			return nil, err
		}
		if _, err := n.Join(ctx, k); err != nil {
			return nil, err
		}
		p.PIDs[i] = n.Proc.PID()
		if err := p.learn(ctx, n); err != nil {
			return nil, fmt.Errorf("learn of the daemon on %s: %w", h.Name(), err)
		}
	}
	return p, nil
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
