package session

import (
	"testing"
	"testing/synctest"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestPunchesAreAskedForAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		peer := ident.New[ident.Node]()
		var told ident.Node
		s.cfg.Punched = func(n ident.Node) { told = n }
		s.run()
		defer s.stop()
		s.session.Punch(peer)
		if p := s.heard().GetPunch(); p.GetPeer() != uint64(peer) || p.Generation != 1 {
			t.Fatalf("asked for %v", p)
		}
		s.tell(&pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(peer)}}})
		synctest.Wait()
		if told != peer {
			t.Fatalf("told of %v", told)
		}
	})
}
