package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type peersOptions struct{ talk }

// peerList is what `cvlan peers` shows.
type peerList struct {
	Schema int        `json:"schema"`
	Peers  []peerItem `json:"peers"`
}

type peerItem struct {
	Network string `json:"network"`
	local.Peer
}

func (o *peersOptions) list(ctx context.Context) error {
	s, err := o.status(ctx)
	if err != nil {
		return err
	}
	l := peerList{Schema: local.Schema, Peers: []peerItem{}}
	for _, n := range s.Networks {
		for _, p := range n.Peers {
			l.Peers = append(l.Peers, peerItem{n.Name, p})
		}
	}
	return o.out.Write(o.IO, l, func() { o.print(s, l) })
}

func (o *peersOptions) print(s local.Status, l peerList) {
	if len(s.Networks) == 0 {
		o.IO.Printf("This machine is in no network yet. Join one with: sudo cvlan up --key-file FILE")
		return
	}
	if len(l.Peers) == 0 {
		o.IO.Printf("Policy shows this machine no peers. Why: cvlan policy explain THIS-MACHINE PEER:PORT")
		return
	}
	t := iox.Table{Heads: []string{"PEER", "OWNER", "ADDRESSES", "ONLINE", "PATH"}}
	spoken := slices.ContainsFunc(l.Peers, func(p peerItem) bool { return notWireGuard(p.Peer) })
	if spoken {
		t.Heads = append(t.Heads, "PROTOCOL")
	}
	several := len(s.Networks) > 1
	if several {
		t.Heads = append(t.Heads, "NETWORK")
	}
	for _, p := range l.Peers {
		row := []any{p.Name, owner(p.Node), addresses(p.Addresses), online(o.Now(), p.Peer), strings.TrimSpace(p.Path + " " + p.Relay)}
		if spoken {
			row = append(row, protocol(p.Peer))
		}
		if several {
			row = append(row, p.Network)
		}
		t.Row(row...)
	}
	t.Print(o.IO)
}
