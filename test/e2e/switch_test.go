//go:build e2e && linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// change is something that people do to a pair that works, and what the pair has come to afterwards.
type change struct {
	name string
	do   func()
	by   string // the protocol that both speak then
}

// undergo makes changes one after another under a steady series and a stream, each when the one before has come to its end, and tells what each
// has cost.
func (w *world) undergo(a, b *node, all []change) {
	w.t.Helper()
	flow, tcp := a.sends(b), b.pours(a)
	w.flows(flow, time.Now(), heals)
	for _, c := range all {
		begin := time.Now()
		tcp.FromNow()
		c.do()
		a.speaks("n2", c.by, heals)
		b.speaks("n1", c.by, heals)
		w.flows(flow, begin, heals)
		w.eventually(heals, "two seconds of traffic", func() error {
			if t := flow.Since(begin, late); t.Sent < 200 {
				return fmt.Errorf("%v", t)
			}
			return nil
		})
		t, stall := flow.Since(begin, late), tcp.Longest()
		w.t.Logf("%-40s %v; TCP's longest stall %v", c.name, t, stall.Round(time.Millisecond))
		if t.Lost > 0 {
			w.t.Errorf("%s: %v", c.name, t)
		}
	}
	flow.End(late)
	if _, _, err := tcp.End(); err != nil {
		w.t.Error(err)
	}
}

// sets is a change of n's settings.
func (n *node) sets(by string, settings ...string) change {
	return change{fmt.Sprint(n.Host.Name(), " sets ", settings), func() { n.types(append([]string{"set"}, settings...)...) }, by}
}

// Whatever people change about how a pair of nodes talks, while both daemons run, costs no packet.
func TestNoChangeOfSettingsCostsAPacket(t *testing.T) {
	w := begin(t)
	c, n, _ := w.town(2)
	a, b := n[0], n[1]
	a.reaches("n2", soon)
	ipsec, wireguard := local.IPsecProtocol, local.WireGuardProtocol
	both := func(name, by string, args ...string) change {
		return change{"both at once: " + name, func() {
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, err := a.CLI(w.ctx, args...); err != nil {
					t.Error(err)
				}
			}()
			b.types(args...)
			<-done
		}, by}
	}
	rule := func(name, text, by string) change { return change{name, func() { c.policy(text) }, by} }
	network := func(protocol, by string) change {
		return change{"the network says " + protocol, func() { c.admin("network", "set", office, "--protocol", protocol) }, by}
	}
	w.undergo(a, b, []change{
		a.sets(ipsec, "protocol=ipsec"),
		a.sets(wireguard, "protocol=default"),
		b.sets(ipsec, "protocol=ipsec", "mtu=1300"),
		b.sets(wireguard, "protocol=default", "mtu=default"),
		both("ipsec", ipsec, "set", "protocol", "ipsec"),
		both("a smaller MTU", ipsec, "set", "mtu", "1280"),
		both("default", wireguard, "set", "protocol=default", "mtu=default"),
		rule("a rule requires IPsec", requires, ipsec),
		rule("it does no more", `{"acls": [{"src": ["*"], "dst": ["*:*"]}]}`, wireguard),
		network("ipsec", ipsec),
		network("any", wireguard),
		a.sets(wireguard, "transport=tcp"),
		a.sets(wireguard, "transport=default"),
		a.sets(wireguard, "port=50123"),
		a.sets(ipsec, "protocol=ipsec", "port=50124"),
		both("another port", ipsec, "set", "port", "50125"),
		a.sets(wireguard, "protocol=default", "port=default", "mtu=1400"),
	})
}
