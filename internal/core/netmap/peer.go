package netmap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Peer is another node that is believed.
type Peer struct {
	Record control.Record
	Soft   Soft
}

// Soft is what is known of a peer for the moment.
type Soft struct {
	Online    bool
	Endpoints []netip.AddrPort // at most MaxEndpoints
	LastSeen  time.Time        // when it was last online, if it is not; zero: unknown
}

func (s Soft) equal(o Soft) bool {
	return s.Online == o.Online && s.LastSeen.Equal(o.LastSeen) && slices.Equal(s.Endpoints, o.Endpoints)
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
	s := Soft{Online: m.Online}
	for _, b := range m.Endpoints[:min(len(m.Endpoints), MaxEndpoints)] {
		if e, ok := control.ParseEndpoint(b); ok {
			s.Endpoints = append(s.Endpoints, e)
		}
	}
	if m.LastSeen > 0 && m.LastSeen <= maxSeconds {
		s.LastSeen = time.Unix(m.LastSeen, 0).UTC()
	}
	return s
}

// message is the inverse of parseSoft.
func (s Soft) message(node uint64) *pb.Soft {
	m := &pb.Soft{Node: node, Online: s.Online}
	for _, e := range s.Endpoints {
		m.Endpoints = append(m.Endpoints, control.AppendEndpoint(nil, e))
	}
	if !s.LastSeen.IsZero() {
		m.LastSeen = s.LastSeen.Unix()
	}
	return m
}
