package server

import (
	"context"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
)

// visitTime bounds a registration at a neighbour.
const visitTime = 10 * time.Second

// SetRegion says which relays frames are exchanged with, in place of those before. It waits until the server runs.
func (s *Server) SetRegion(ids []ident.Relay) {
	if s.cfg.Region == nil || len(s.sockets.UDP) == 0 {
		return
	}
	s.owner.call(func(m *forward.Machine, now mono.Time, out *forward.Out) { m.SetRegion(now, ids, out) })
}

// visit registers us at neighbours, as the owner wants it.
func (s *Server) visit(ctx context.Context) error {
	var under sync.WaitGroup
	defer under.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-s.visits:
			under.Go(func() { s.register(ctx, id) })
		}
	}
}

func (s *Server) register(ctx context.Context, id ident.Relay) {
	ctx, cancel := context.WithTimeout(ctx, visitTime)
	defer cancel()
	w, at, err := s.cfg.Region.Register(ctx, id)
	if err != nil {
		s.cfg.Log.Debug("not registered at a relay of the region", "relay", id, logx.Err, err)
	}
	s.owner.call(func(m *forward.Machine, now mono.Time, out *forward.Out) {
		if err != nil {
			m.Unvisited(now, id)
		} else {
			m.Visited(now, id, &w, at, out)
		}
	})
}
