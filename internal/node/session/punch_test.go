package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestPunchesAreAskedForAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		peer := ident.New[ident.Node]()
		var told ident.Node
		var in time.Duration
		s.cfg.Punched = func(n ident.Node, d time.Duration) { told, in = n, d }
		s.run()
		defer s.stop()
		s.session.Punch(peer)
		if p := s.heard().GetPunch(); p.GetPeer() != uint64(peer) || p.Generation != 1 {
			t.Fatalf("asked for %v", p)
		}
		s.tell(&pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(peer), InMs: 40}}})
		synctest.Wait()
		if told != peer || in != 40*time.Millisecond {
			t.Fatalf("told of %v in %v", told, in)
		}
		s.tell(&pb.Frame{Body: &pb.Frame_Punch{Punch: &pb.Punch{Peer: uint64(peer), InMs: 1 << 30}}})
		synctest.Wait()
		if in != maxPunchWait {
			t.Fatalf("a controller may have a node wait for %v", in)
		}
	})
}
