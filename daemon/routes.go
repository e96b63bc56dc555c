package daemon

import (
	"slices"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/proto/control"
)

// routes are the networks behind peers, as they are used here.
func routes(s *engine.Status) (all []local.PeerRoute) {
	names := map[ident.Node]string{}
	for _, p := range s.Peers {
		names[p.Record.Node] = p.Record.Name
	}
	for _, r := range s.Routes {
		x := local.PeerRoute{Prefix: r.Prefix, Router: names[r.Via], State: string(r.State), Why: r.Why}
		for _, n := range r.Standby {
			x.Standby = append(x.Standby, names[n])
		}
		all = append(all, x)
	}
	return all
}

// offers are the networks behind this machine.
func offers(s *engine.Status) (all []local.Offer) {
	for _, p := range s.Serving.Offered {
		o := local.Offer{Prefix: p, Approved: slices.Contains(s.Serving.Approved, p)}
		if err := control.CheckRoute(p, s.Network.Range4, s.Network.Range6); err != nil {
			o.Fault = err.Error()
		} else if slices.Contains(s.Serving.Nowhere, p) {
			o.Fault = "this machine has no default route for it itself"
		} else if s.Serving.Problem != nil && o.Approved {
			o.Fault = s.Serving.Problem.Error()
		}
		all = append(all, o)
	}
	return all
}
