package daemon

import (
	"context"
	"net/netip"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/flow"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

// PolicyLog implements localapi.Backend.
func (d *Daemon) PolicyLog(_ context.Context, r local.PolicyLogRequest) (local.PolicyLog, error) {
	l := local.PolicyLog{Schema: local.Schema, Networks: []local.PolicyNetwork{}, Next: map[string]uint64{}}
	chosen, err := d.choose(r.Network)
	if err != nil {
		return l, err
	}
	for _, m := range chosen {
		if e, _ := m.alive(); e != nil {
			n, next := policyOf(m, e.Status(), r.Since[m.id.String()])
			l.Networks, l.Next[n.ID] = append(l.Networks, n), next
		}
	}
	return l, nil
}

func policyOf(m *member, s *engine.Status, since uint64) (local.PolicyNetwork, uint64) {
	c := s.Rules.Filter.Counters()
	n := local.PolicyNetwork{ID: m.id.String(), Name: m.label(), Policy: s.Rules.Number, Flows: c.Flows, Opened: c.Opened, Evicted: c.Evicted,
		DroppedIn: c.DroppedIn, DroppedOut: c.DroppedOut, Rules: []local.RuleCount{}, Denials: []local.Denial{}}
	for _, x := range c.Rules {
		n.Rules = append(n.Rules, local.RuleCount{Rule: x.Rule, Allowed: x.Allowed, Denied: x.Denied})
	}
	denials, next := s.Rules.Filter.Denials(since)
	if len(denials) == 0 {
		return n, next
	}
	names := namesOf(s)
	for i := range denials {
		n.Denials = append(n.Denials, denial(&denials[i], names))
	}
	return n, next
}

// namesOf are those of all addresses that the map has.
func namesOf(s *engine.Status) map[netip.Addr]string {
	names := map[netip.Addr]string{s.Self.Record.Address4: s.Self.Record.Name, s.Self.Record.Address6: s.Self.Record.Name}
	for _, p := range s.Peers {
		names[p.Record.Address4], names[p.Record.Address6] = p.Record.Name, p.Record.Name
	}
	for _, p := range s.Plains {
		names[p.Address4], names[p.Address6] = p.Name, p.Name
	}
	delete(names, netip.Addr{})
	return names
}

func denial(x *flow.Denial, names map[netip.Addr]string) local.Denial {
	d := local.Denial{At: x.At.UTC(), Direction: "out", Reason: x.Reason.String(), Missed: x.Missed}
	if x.In {
		d.Direction = "in"
	}
	if x.Src.IsValid() {
		d.Src = &local.DenialPlace{Address: x.Src, Port: x.SrcPort, Name: names[x.Src]}
		d.Dst = &local.DenialPlace{Address: x.Dst, Port: x.DstPort, Name: names[x.Dst]}
		d.Protocol = acl.ProtocolName(x.Proto)
	}
	if x.Proto == filter.ICMP || x.Proto == filter.ICMPv6 {
		d.Type = &x.Type
	}
	if x.ByRule {
		d.Rule, d.Policy = &x.Rule, x.Generation
	}
	return d
}
