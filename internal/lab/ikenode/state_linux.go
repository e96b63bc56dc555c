package main

import (
	"encoding/json"
	"os"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// state is what is printed when it is asked for.
type state struct {
	Peers []tunnel.PeerState
	Drops map[string]uint64
	SAs   int // of IKE
}

func tell(t *tunnel.Tunnel) {
	s := state{Peers: t.Peers(), Drops: t.State().Drops}
	t.Consult(tunnel.IKE, func(_ mono.Time, tr tunnel.Transport, _ func(key.WGPublic) *tunnel.Peer, _ *tunnel.Out) {
		if d, err := ipsec.DeskOf(tr); err == nil {
			for _, one := range d.SAs() {
				s.SAs += len(one.IKE)
			}
		}
	})
	_ = json.NewEncoder(os.Stdout).Encode(s)
}
