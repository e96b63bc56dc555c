package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestWhoComesIsWelcomedAndGetsTheMap(t *testing.T) {
	play(t, func(s *scene) {
		s.ends()
		s.config = Config{Transport: stream.QUIC, Addresses: []string{"cvlan.example.com:8443"}}
		s.begins(s.db)
		a, b := s.machine("a"), s.machine("b")
		la := a.dial()
		s.settle()
		w := la.got[0].GetWelcome()
		if w.GetVersion() != 1 || w.TimeMs != s.now().Add(-4*maxRest).UnixMilli() || w.Controller != uint64(s.db.Meta().Controller) ||
			w.Transport != pb.Transport_TRANSPORT_QUIC || len(w.Addresses) != 1 {
			s.Errorf("the first frame is %v, want a whole Welcome", la.got[0])
		}
		s.sees(a) // b has never signed
		b.dial()
		s.settle()
		s.sees(a, "b+")
		s.sees(b, "a+")
		if n, ok := a.table.Network(); !ok || n.Domain != "office.acme.cvlan.internal" {
			s.Errorf("network %+v", n)
		}
		l := s.hub.Live(s.tenant, a.node.ID)
		if !l.Online || l.Transport != stream.TCP || !l.Since.Equal(calendar) || len(l.Endpoints) != 1 {
			s.Errorf("live: %+v", l)
		}
		if l := s.hub.Live(s.tenant, 7); l.Online || !l.LastSeen.IsZero() {
			s.Errorf("an unknown node is %+v", l)
		}
		if l := s.hub.Live(7, a.node.ID); l.Online {
			s.Errorf("a node in an unknown tenant is %+v", l)
		}
		if n := s.hub.Sessions(); n != 2 {
			s.Errorf("%d sessions, want 2", n)
		}
	})
}

func TestAChangeReachesEverybodyWhomItConcerns(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b", "c")
		a, b, c := all[0], all[1], all[2]
		s.office = must[store.Network](s.T)(s.own.CreateNetwork(s.Context(), me, store.Network{Name: "lab"}, true))
		other := s.machine("other")
		lo := other.dial()
		s.settle()
		before, _ := lo.mapped()
		lb := b.dial() // a reconnect
		s.settle()
		maps, _ := lb.mapped()
		must[store.Node](s.T)(s.own.RenameNode(s.Context(), me, a.node.ID, "alpha", 0))
		s.settle()
		s.sees(b, "alpha+", "c+")
		s.sees(c, "alpha+", "b+")
		if n, _ := lb.mapped(); n != maps+1 {
			s.Errorf("%d frames for one change, want 1", n-maps)
		}
		if n, _ := lo.mapped(); n != before {
			s.Error("a node of another network was sent something")
		}
	})
}

func TestEndpointsTravelAndStayWhenANodeGoes(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b")
		a, b := all[0], all[1]
		la := a.dial()
		la.reports(4711)
		s.settle()
		if p := b.peer(a); !p.Soft.Online || len(p.Soft.Endpoints) != 1 || p.Soft.Endpoints[0].Port() != 4711 {
			s.Fatalf("b knows %+v of a", p.Soft)
		}
		la.hangUp()
		s.settle()
		p := b.peer(a)
		if p.Soft.Online || len(p.Soft.Endpoints) != 1 || p.Soft.LastSeen.Unix() != s.now().Add(-4*maxRest).Unix() {
			s.Errorf("b knows %+v of a, which has gone", p.Soft)
		}
		if l := s.hub.Live(s.tenant, a.node.ID); l.Online || !l.LastSeen.Equal(s.now().Add(-4*maxRest)) {
			s.Errorf("live: %+v", l)
		}
	})
}

func TestAReconnectCostsNearlyNothing(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b", "c")
		a := all[0]
		la := a.dial()
		s.settle()
		if frames, bytes := la.mapped(); frames != 1 || bytes > 300 {
			s.Errorf("a reconnect cost %d frames, %d bytes; want 1 of at most 300", frames, bytes)
		}
		s.sees(a, "b+", "c+")
		s.restarts()
		for _, m := range all {
			m.reboot()
			m.dial()
		}
		s.settle()
		s.sees(a, "b+", "c+")
		s.sees(all[2], "a+", "b+")
	})
}

func TestARestoredBackupGivesASnapshot(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b")
		s.ends()
		s.begins(newerEpoch{s.db})
		la := all[0].dial()
		s.settle()
		var snapshots int
		for _, f := range la.got {
			if f.GetMap().GetSnapshot() {
				snapshots++
			}
		}
		if snapshots != 1 {
			s.Errorf("%d snapshots in another epoch, want 1", snapshots)
		}
		s.sees(all[0], "b")
	})
}

// newerEpoch is the store after a restore.
type newerEpoch struct{ store.Store }

func (n newerEpoch) Meta() store.Meta {
	m := n.Store.Meta()
	m.Epoch++
	return m
}

func TestADeletedNodeIsSentAwayAndForgotten(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b", "c")
		a, c := all[0], all[2]
		lc := c.dial()
		s.settle()
		before := time.Now()
		s.ok(s.own.DeleteNode(s.Context(), me, c.node.ID, 0))
		<-lc.closed
		if d := time.Since(before); d > 2*time.Second {
			s.Errorf("the deleted node heard of it after %v", d)
		}
		s.settle()
		g := s.told(lc, pb.GoawayReason_GOAWAY_REASON_REMOVED)
		if g.Hint == "" || g.RetryAfterMs == 0 {
			s.Errorf("%v: want a hint, and a time to come back", g)
		}
		s.sees(a, "b+")
		again := c.dial()
		s.settle()
		s.told(again, pb.GoawayReason_GOAWAY_REASON_REMOVED)
	})
}

// A deletion must not wait for the deleted node's line, nor the others for it.
func TestADeletedNodeThatDoesNotListenHoldsNobodyUp(t *testing.T) {
	play(t, func(s *scene) {
		a, deaf := s.machine("a"), s.machine("deaf")
		var v *valve
		deaf.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); return v }
		a.dial()
		ld := deaf.dial()
		s.settle()
		v.shut()
		before := time.Now()
		s.ok(s.own.DeleteNode(s.Context(), me, deaf.node.ID, 0))
		s.settle()
		s.sees(a)
		if d := time.Since(before); d != 4*maxRest {
			s.Errorf("the commit waited %v for a deaf node", d-4*maxRest)
		}
		<-ld.served
		if d := time.Since(before); d > 2*time.Second {
			s.Errorf("its session lasted for %v after the deletion", d)
		}
	})
}

func TestASlowStreamGetsOneMergedDelta(t *testing.T) {
	play(t, func(s *scene) {
		a, slow := s.machine("a"), s.machine("slow")
		var v *valve
		slow.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); return v }
		ls := slow.dial()
		a.dial()
		s.settle()
		frames, _ := ls.mapped()
		v.shut()
		for i := range 50 {
			must[store.Node](s.T)(s.own.RenameNode(s.Context(), me, a.node.ID, fmt.Sprintf("a%d", i), 0))
			time.Sleep(time.Second)
		}
		s.settle()
		if n, _ := ls.mapped(); n != frames {
			s.Errorf("%d frames went through a shut valve", n-frames)
		}
		s.lives(ls)
		v.open()
		s.settle()
		if n, _ := ls.mapped(); n != frames+1 {
			s.Errorf("%d frames, want one merged delta", n-frames)
		}
		s.sees(slow, "a49+")
		s.lives(ls)
	})
}

func TestASnapshotInPiecesArrivesWhole(t *testing.T) {
	play(t, func(s *scene) {
		const peers = 450 // about 200 bytes each: two pieces
		s.ends()
		for i := range peers {
			m := s.machine(fmt.Sprintf("n%d", i))
			sig := m.sign(m.node.Record)
			must[store.Node](s.T)(s.own.SignNode(s.Context(), m.node.ID, sig.Record, sig.Signature))
		}
		a := s.machine("a")
		s.begins(s.db)
		la := a.dial()
		s.settle()
		if n := len(a.peers()); n != peers {
			s.Errorf("%d peers, want %d", n, peers)
		}
		frames, bytes := la.mapped()
		if frames < 2 {
			s.Errorf("the snapshot of %d bytes came in %d frames; the story wants pieces", bytes, frames)
		}
	})
}

func TestABrokenStreamEndsItsSession(t *testing.T) {
	play(t, func(s *scene) {
		a, b := s.machine("a"), s.machine("b")
		var v *valve
		b.wrap = func(st stream.Stream) stream.Stream { v = newValve(st); return v }
		a.dial()
		lb := b.dial()
		s.settle()
		v.breaks()
		must[store.Node](s.T)(s.own.RenameNode(s.Context(), me, a.node.ID, "alpha", 0))
		<-lb.served
		s.settle()
		s.sees(a, "b")
		if n := s.hub.Sessions(); n != 1 {
			s.Errorf("%d sessions, want 1", n)
		}
	})
}

func TestApprovalAndRulesDecideWhoIsSeen(t *testing.T) {
	play(t, func(s *scene) {
		a := s.machine("a")
		p := s.machine("p", func(k *store.JoinKey) { k.Approve = true })
		a.dial()
		p.dial()
		s.settle()
		s.sees(a)
		s.sees(p)
		for range 2 {
			must[store.Node](s.T)(s.own.SuspendNode(s.Context(), me, p.node.ID, 0)) // at first it waits already
			s.settle()
			s.sees(a)
			s.sees(p)
			must[store.Node](s.T)(s.own.ApproveNode(s.Context(), me, p.node.ID, 0))
			s.settle()
			s.sees(a, "p+")
			s.sees(p, "a+")
		}
		s.policy(string(store.FirstPolicy(false)))
		s.sees(a)
		s.sees(p)
	})
}

func TestAPingIsAnsweredAndGoodbyeIsHeard(t *testing.T) {
	play(t, func(s *scene) {
		m := s.machine("a")
		l := m.dial()
		s.settle()
		l.say(&pb.Frame{Body: &pb.Frame_Ping{Ping: &pb.Ping{Nonce: 42}}})
		s.settle()
		if l.last().GetPong().GetNonce() != 42 {
			s.Errorf("%v, want the Pong", l.last())
		}
		l.say(&pb.Frame{Body: &pb.Frame_Goaway{Goaway: &pb.Goaway{Reason: pb.GoawayReason_GOAWAY_REASON_LEAVING}}})
		<-l.served
		if l := s.hub.Live(s.tenant, m.node.ID); l.Online {
			s.Errorf("%+v after goodbye", l)
		}
	})
}

func TestEndpointsThatNobodyCanSendToAreLeftOut(t *testing.T) {
	play(t, func(s *scene) {
		all := s.machines("a", "b")
		la := all[0].dial()
		r := &pb.Report{Endpoints: [][]byte{nil, {1, 2, 3}, make([]byte, 6), make([]byte, 5000)}}
		for i := range 40 {
			r.Endpoints = append(r.Endpoints, report(uint16(i+1)).Endpoints...)
		}
		la.say(&pb.Frame{Body: &pb.Frame_Report{Report: r}})
		s.settle()
		if p := all[1].peer(all[0]); len(p.Soft.Endpoints) != 16 {
			s.Errorf("%d endpoints, want the first 16 that are any", len(p.Soft.Endpoints))
		}
		s.lives(la)
	})
}

// rename is the commonest change, for stories that need one.
func (s *scene) rename(m *machine, to string) store.Node {
	s.Helper()
	return must[store.Node](s.T)(s.own.RenameNode(s.Context(), me, m.node.ID, to, 0))
}

// current returns a node as it is in the database.
func (s *scene) current(m *machine) store.Node {
	s.Helper()
	return must[store.Node](s.T)(s.own.Node(s.Context(), m.node.ID))
}
