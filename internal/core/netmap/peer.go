package netmap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Peer is another node that is believed.
type Peer struct {
	Record control.Record
	Soft   Soft
	Class  uint64          // that policy puts it into: where it stands in the rules; 0: none
	User   string          // its owner; "" for a node with tags, or without an owner
	routes *[]netip.Prefix // nil: none; most nodes have none
}

// Routes are the prefixes that are reached through it, in the order of control.CompareRoutes; those of no bits make it an exit node.
func (p *Peer) Routes() []netip.Prefix {
	if p.routes == nil {
		return nil
	}
	return *p.routes
}

// Soft is what is known of a peer for the moment.
type Soft struct {
	Online    bool
	Endpoints []netip.AddrPort // at most MaxEndpoints
	Kinds     string           // of Endpoints, a byte for each, as disco's candidate kinds; "": not known
	HomeRelay ident.Relay      // where it can always be reached; zero: nowhere. Not every relay is in the table
	LastSeen  time.Time        // when it was last online, if it is not; zero: unknown
}

func (s Soft) equal(o Soft) bool {
	return s.Online == o.Online && s.LastSeen.Equal(o.LastSeen) && slices.Equal(s.Endpoints, o.Endpoints) &&
		s.Kinds == o.Kinds && s.HomeRelay == o.HomeRelay
}

// faded is soft state that the controller no longer vouches for.
func (s Soft) faded() Soft {
	s.Online = false
	return s
}

// maxSeconds is the end of the year 9999: later instants cannot be shown.
const maxSeconds = 253402300799

// parseSoft takes what can be used; what nobody of ours would send is skipped.
func parseSoft(m *pb.Soft) Soft {
	s := Soft{Online: m.Online, HomeRelay: ident.Relay(m.HomeRelay)}
	known := len(m.Kinds) > 0 && len(m.Kinds) == len(m.Endpoints)
	var kinds []byte
	for i, b := range m.Endpoints[:min(len(m.Endpoints), MaxEndpoints)] {
		e, ok := control.ParseEndpoint(b)
		if !ok {
			continue
		}
		s.Endpoints = append(s.Endpoints, e)
		if known {
			kinds = append(kinds, m.Kinds[i])
		}
	}
	s.Kinds = string(kinds)
	if m.LastSeen > 0 && m.LastSeen <= maxSeconds {
		s.LastSeen = time.Unix(m.LastSeen, 0).UTC()
	}
	return s
}

// message is the inverse of parseSoft.
func (s Soft) message(node uint64) *pb.Soft {
	m := &pb.Soft{Node: node, Online: s.Online, HomeRelay: uint64(s.HomeRelay), Kinds: []byte(s.Kinds)}
	for _, e := range s.Endpoints {
		m.Endpoints = append(m.Endpoints, control.AppendEndpoint(nil, e))
	}
	if !s.LastSeen.IsZero() {
		m.LastSeen = s.LastSeen.Unix()
	}
	return m
}
