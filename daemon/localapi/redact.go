package localapi

import (
	"slices"

	"github.com/cvlan/cvlan/api/local"
)

// redact takes out of a status what its reader's level does not cover: where peers are on the internet is for operators.
func redact(s local.Status, l local.Level) local.Status {
	s.Networks = redactAll(s.Networks, l)
	return s
}

func redactAll(all []local.Network, l local.Level) []local.Network {
	if rank[l] >= rank[local.Operate] {
		return all
	}
	all = slices.Clone(all)
	for i := range all {
		all[i].Peers = slices.Clone(all[i].Peers)
		for j := range all[i].Peers {
			all[i].Peers[j].Endpoint, all[i].Peers[j].Candidates = nil, nil
		}
	}
	return all
}

func redactNetworks(l local.Level) func(local.Networks, error) (local.Networks, error) {
	return func(n local.Networks, err error) (local.Networks, error) {
		n.Networks = redactAll(n.Networks, l)
		return n, err
	}
}

func redactPong(p local.Pong, l local.Level) local.Pong {
	if rank[l] < rank[local.Operate] {
		p.Endpoint = nil
	}
	return p
}
