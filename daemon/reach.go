package daemon

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/filter"
)

// maxServices bounds what is told of a rule.
const maxServices = 64

// Reach implements localapi.Backend. It asks the filter that judges the packets, so that it cannot disagree with it.
func (d *Daemon) Reach(_ context.Context, r local.PathRequest) (local.Reach, error) {
	t, err := d.find(r.Peer, r.Network)
	if err != nil {
		return local.Reach{}, err
	}
	out := reach(t.s, t.addr)
	out.Peer = t.name
	return out, nil
}

func reach(s *engine.Status, peer netip.Addr) local.Reach {
	out := local.Reach{Schema: local.Schema, Network: s.Network.Name, Policy: s.Rules.Number}
	var rules filter.Rules
	if set := s.Rules.Filter.Set(); set != nil {
		self := s.Self.Record
		rules, _ = set.Between(sameFamily(peer, self.Address4, self.Address6), peer)
	}
	out.Out, out.In = told(rules.Out, rules.OutIPsec), told(rules.In, rules.InIPsec)
	return out
}

// sameFamily is the one of both that is of an address's family.
func sameFamily(a, v4, v6 netip.Addr) netip.Addr {
	if a.Is4() {
		return v4
	}
	return v6
}

// told gathers what each rule decides, in the order of the rules.
func told(spans []filter.Span, ipsec bool) []local.ReachRule {
	list := []local.ReachRule{}
	for _, x := range spans {
		i := slices.IndexFunc(list, func(r local.ReachRule) bool { return r.Rule == x.Rule && r.Deny == x.Deny })
		if i < 0 {
			i, list = len(list), append(list, local.ReachRule{Rule: x.Rule, Deny: x.Deny, IPsec: ipsec && !x.Deny, Services: []string{}})
		}
		if len(list[i].Services) == maxServices {
			list[i].More++
			continue
		}
		list[i].Services = append(list[i].Services, acl.Service{First: x.First, Last: x.Last}.String())
	}
	slices.SortStableFunc(list, func(a, b local.ReachRule) int { return cmp.Compare(a.Rule, b.Rule) })
	return list
}
