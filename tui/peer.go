package tui

import (
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// peerID names a peer through all states.
type peerID struct{ network, node string }

// peer is another node or device, with what we add to the daemon's word.
type peer struct {
	local.Peer
	id      peerID
	name    string // cleaned, as are all strings below
	network string
	owner   string
	address string
	way     string // the path in words: direct, relay fra-1, idle, offline, no agent
	stand   standing
	meter   meter
	rtt     time.Duration // last known; 0: not known
	text    string        // what the filter looks at, in lower case; "": not made yet
	stamp   uint64        // of the state that has told of it
}

// standing is how a peer is reached. The order is that of sorting.
type standing int

const (
	direct standing = iota
	relayed
	idle
	noAgent
	closed // they have no protocol in common that may be used
	offline
)

// take takes in what the daemon says of the peer. What has not changed is not made anew: there may be very many.
func (p *peer) take(n *network, raw local.Peer, at time.Time) {
	was := &p.Peer
	fresh := p.name == ""
	if fresh || raw.Name != was.Name {
		p.name = called(raw.Name, raw.ID)
	}
	if fresh || raw.User != was.User || !slices.Equal(raw.Tags, was.Tags) {
		p.owner = owner(raw.Node)
	}
	if fresh || !slices.Equal(raw.Addresses, was.Addresses) {
		p.address = first(raw.Node)
	}
	if fresh || raw.Path != was.Path || raw.Relay != was.Relay || raw.Online != was.Online || raw.Kind != was.Kind || raw.Closed != was.Closed {
		p.stand, p.way = stands(&raw)
	}
	p.Peer, p.network, p.text = raw, n.name, ""
	p.meter.take(at, raw.RxBytes, raw.TxBytes)
	if p.stand != direct && p.stand != relayed {
		p.rtt = 0
	}
}

func stands(p *local.Peer) (standing, string) {
	switch {
	case p.Closed != "" && p.Online:
		return closed, "closed"
	case p.Path == local.PathDirect:
		return direct, "direct"
	case p.Path == local.PathRelay && p.Relay != "":
		return relayed, "relay " + cleanName(p.Relay)
	case p.Path == local.PathRelay:
		return relayed, "relay"
	case p.Kind == local.PlainPeer:
		return noAgent, "no agent"
	case p.Online:
		return idle, "idle"
	}
	return offline, "offline"
}

// owner is whose machine it is to policy: a user's, or its tags'.
func owner(n local.Node) string {
	if n.User != "" {
		return cleanName(n.User)
	}
	if len(n.Tags) == 0 {
		return ""
	}
	tags := make([]string, len(n.Tags))
	for i, t := range n.Tags {
		tags[i] = "tag:" + strings.TrimPrefix(t, "tag:")
	}
	return cleanNames(tags)
}

func first(n local.Node) string {
	if len(n.Addresses) == 0 {
		return ""
	}
	return n.Addresses[0].String()
}

// search is what a filter is looked for in.
func (p *peer) search() string {
	if p.text == "" {
		on := " offline"
		if p.Online {
			on = " online"
		}
		parts := []string{p.name, p.owner, p.way, on, p.network, protocol(p.Protocol)}
		for _, a := range p.Addresses {
			parts = append(parts, a.String())
		}
		p.text = strings.ToLower(strings.Join(parts, " "))
	}
	return p.text
}

// mark is the sign in front of a peer, one cell; its shape says what its colour says.
func (p *peer) mark(t *draw.Theme) (draw.Style, string) {
	switch p.stand {
	case direct:
		return t.Good, "●"
	case relayed:
		return t.Fair, "◐"
	case idle:
		return t.Good, "○"
	case noAgent:
		return t.Dim, "◇"
	case closed:
		return t.Bad, "✗"
	}
	return t.Dim, "·"
}

// seen says when the peer was there last.
func (p *peer) seen(now time.Time) string {
	switch {
	case p.Online:
		return "now"
	case p.Kind == local.PlainPeer && p.LastHandshake != nil:
		return words.Ago(now, *p.LastHandshake)
	case p.LastSeen != nil:
		return words.Ago(now, *p.LastSeen)
	}
	return ""
}

// lastSeen is the same as an instant, for sorting.
func (p *peer) lastSeen(now time.Time) time.Time {
	switch {
	case p.Online:
		return now
	case p.LastSeen != nil:
		return *p.LastSeen
	case p.LastHandshake != nil:
		return *p.LastHandshake
	}
	return time.Time{}
}

func protocol(p string) string {
	switch p {
	case "wireguard", "":
		return "WireGuard"
	case "ipsec":
		return "IPsec"
	}
	return cleanName(p)
}
