package server

import (
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// Stats is what a relay is doing, and has done since it started.
type Stats struct {
	Clients     int                            // registered
	Bound       map[forward.Via]int            // of them, by the way they are reached; Nowhere: not bound
	Connections int                            // of TLS and QUIC, registered
	Channels    int                            // open
	Draining    bool                           //
	Relayed     map[ident.Tenant]forward.Meter // never goes down while the relay runs
	Frames      map[forward.Drop]uint64        // by what became of them
	UDP         []sock.Stats                   // of each worker's socket
	Region      []forward.Neighbour            // relays that frames are exchanged with
	Went, Came  forward.Meter                  // to them, and from them
}

// retiredTenants bounds how many tenants are remembered whose slot went to another.
const retiredTenants = 1 << 16

// Stats takes a snapshot. Workers wait for it: some milliseconds with a hundred thousand clients, hence ask every few seconds at most.
func (s *Server) Stats() Stats {
	st := Stats{Bound: map[forward.Via]int{}, Relayed: map[ident.Tenant]forward.Meter{}, Frames: map[forward.Drop]uint64{}}
	s.owner.call(func(m *forward.Machine, _ mono.Time, _ *forward.Out) {
		st.Clients, st.Channels, st.Draining = m.Clients(), m.Channels(), m.Draining()
		m.Bound(func(v forward.Via) { st.Bound[v]++ })
		s.lock.Lock()
		defer s.lock.Unlock()
		s.count(&st, m)
	})
	for _, u := range s.sockets.UDP {
		st.UDP = append(st.UDP, u.Stats())
	}
	return st
}

// count sums the books up.
func (s *Server) count(st *Stats, m *forward.Machine) {
	st.Connections = len(s.carriers)
	for t, r := range s.retired {
		st.Relayed[t] = r
	}
	m.Tenants(func(slot uint32, id ident.Tenant, _ int) {
		sum := st.Relayed[id]
		for _, b := range s.books {
			sum.Add(b.Metered(slot))
		}
		st.Relayed[id] = sum
	})
	m.Neighbours(func(n forward.Neighbour) { st.Region = append(st.Region, n) })
	for _, b := range s.books {
		went, came := b.Region()
		st.Went.Add(went)
		st.Came.Add(came)
	}
	for d := range forward.Drops {
		n := s.refused[d]
		for _, b := range s.books {
			n += b.Counted(d)
		}
		if n > 0 {
			st.Frames[d] = n
		}
	}
}

// retire keeps what a tenant has sent when its slot goes to another.
func (s *Server) retire(v forward.Vacated) {
	sum, known := s.retired[v.Tenant]
	for _, b := range s.books {
		sum.Add(b.Settle(v.Slot))
	}
	if known || len(s.retired) < retiredTenants {
		s.retired[v.Tenant] = sum
	}
}
