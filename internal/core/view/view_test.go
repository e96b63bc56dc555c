package view

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

func TestEveryMemberSeesEveryOther(t *testing.T) {
	s := newStage(t, Config{})
	for id := range ident.Node(3) {
		s.node(id + 1)
	}
	s.view.SetSoft(2, Soft{Online: true, Endpoints: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:41641")}})
	r := s.reader(1)
	m := r.read()
	if r.wants("2* 3"); !m.Snapshot || r.network.GetName() != "net-7" || r.network.GetClosed() {
		t.Fatalf("first map: %v", m)
	}
	if string(r.self.GetRecord()) != string(nodeOf(1).Record) || len(r.self.GetSignature()) != key.SignatureSize || r.self.Pending {
		t.Fatalf("self: %v", r.self)
	}
	if r.session.Next() != nil {
		t.Fatal("a node that is up to date gets more")
	}
}

func TestAJoinIsToldOnceAndCostsLittle(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.node(2)
	r := s.reader(1)
	r.read()
	if c := s.node(300, unsigned); s.told(c) != "300" || r.session.Next() != nil {
		t.Fatalf("a node that has not signed is told to %q", s.told(c))
	}
	s.view.SetSoft(300, Soft{Online: true, Endpoints: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:41641"), netip.MustParseAddrPort("[2001:db8::1]:41641")}})
	if c := s.node(300); s.told(c) != "300 1 2" {
		t.Fatalf("its signature is told to %q", s.told(c))
	}
	r.read()
	if r.wants("2 300*"); r.bytes > 350 || r.frames != 1 {
		t.Fatalf("a join costs another node %d bytes in %d frames, at most 350 in one are allowed", r.bytes, r.frames)
	}
	t.Logf("a join costs every other node %d bytes", r.bytes)
}

func TestAResumeWithNothingNewIsShort(t *testing.T) {
	s := newStage(t, Config{Epoch: 3, Boot: 1<<63 + 5, Hard: 1 << 40})
	for id := range ident.Node(100) {
		s.node(id + 1)
		s.view.SetSoft(id+1, Soft{Online: true})
	}
	r := s.reader(1)
	r.read()
	r.resume(1)
	if m := r.read(); r.bytes > 70 || m.Snapshot || m.From == nil {
		t.Fatalf("%d bytes: %v", r.bytes, m)
	}
	t.Logf("a resume with nothing new takes %d bytes", r.bytes)
}

func TestARenamedNodeIsShownAsItWasUntilItHasSigned(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.node(2)
	other, itself := s.reader(1), s.reader(2)
	other.read()
	itself.read()
	waiting := func(n *Node) { n.Signed = n.Record; renamed(n) }
	if c := s.node(2, waiting); s.told(c) != "2" || other.session.Next() != nil {
		t.Fatalf("a record that is not signed yet is told to %q", s.told(c))
	}
	itself.read()
	if string(itself.self.GetRecord()) != string(nodeOf(2, renamed).Record) || len(itself.self.GetSignature()) != 0 {
		t.Fatalf("the node is not asked to sign: %v", itself.self)
	}
	newcomer := s.reader(1)
	newcomer.read()
	newcomer.wants("2")
	if c := s.node(2, renamed); s.told(c) != "2 1" {
		t.Fatalf("the signed record is told to %q", s.told(c))
	}
	other.read()
}

func TestPendingSeesAndIsSeenByNobody(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	one := s.reader(1)
	one.read()
	if c := s.node(2, pending); s.told(c) != "2" {
		t.Fatalf("told to %q", s.told(c))
	}
	two := s.reader(2)
	two.read()
	two.wants("")
	if one.session.Next() != nil || !two.self.Pending || two.network == nil {
		t.Fatal("a pending node is shown, or does not see itself")
	}
	if c := s.view.SetSoft(2, Soft{Online: true}); !c.IsZero() {
		t.Fatal("the soft state of a hidden node is told")
	}
	if c := s.node(2); s.told(c) != "2 1" {
		t.Fatalf("approval told to %q", s.told(c))
	}
	one.read()
	one.wants("2*")
	two.read()
	two.wants("1")
	s.node(2, pending)
	one.read()
	one.wants("")
	if m := two.read(); !m.Snapshot || len(m.Upsert) > 0 {
		t.Fatalf("a node that may not see peers any more keeps them: %v", m)
	}
}

func TestANetworkThatClosesHidesEverybody(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.node(2)
	s.node(3, pending)
	r, away := s.reader(1), s.reader(2)
	r.read()
	away.read()
	if c := s.network(office, false); s.told(c) != "1 2 3" {
		t.Fatalf("closing told to %q", s.told(c))
	}
	r.read()
	if r.wants(""); !r.network.Closed {
		t.Fatal("the node does not know that its network is closed")
	}
	if c := s.node(1, renamed); s.told(c) != "1" {
		t.Fatalf("a change in a closed network told to %q", s.told(c))
	}
	s.node(4)
	s.network(office, true)
	r.read()
	r.wants("2 4")
	away.resume(2) // it has not heard of the closing, and does not need to
	away.read()
	away.wants("1 4")
}

func TestWhoIsNotConcernedGetsNothing(t *testing.T) {
	s := newStage(t, Config{})
	s.network(lab, true)
	s.node(1)
	s.node(2, inLab)
	r := s.reader(1)
	r.read()
	at := r.cursor
	for range 1000 {
		c := s.node(2, inLab, renamed)
		c2 := s.node(2, inLab)
		if s.told(c) != "2" || s.told(c2) != "2" || r.session.Next() != nil {
			t.Fatal("another network's change is told")
		}
	}
	s.node(3)
	if m := r.read(); m.From.Hard != at.Hard || m.To.Hard != s.hard || len(m.Upsert) != 1 {
		t.Fatalf("after the quiet: %v", m)
	}
	s.view.SetSoft(1, Soft{Online: true})
	if r.session.Next() != nil {
		t.Fatal("a node is told its own soft state")
	}
}

func TestWhatShowsNothingTellsNothing(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	if c := s.node(1); !c.IsZero() {
		t.Error("an equal node is a change")
	}
	if c := s.network(office, true); !c.IsZero() {
		t.Error("an equal network is a change")
	}
	now := time.Unix(1700000000, 0)
	s.view.SetSoft(1, Soft{LastSeen: now})
	if c := s.view.SetSoft(1, Soft{LastSeen: now.Add(time.Millisecond)}); !c.IsZero() {
		t.Error("a millisecond is a change")
	}
	if c := s.view.SetSoft(99, Soft{Online: true}); !c.IsZero() {
		t.Error("a node that is not there has changed")
	}
}

func TestARemovedNodeGoesEverywhere(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.node(2)
	r, gone := s.reader(1), s.reader(2)
	r.read()
	gone.read()
	if c := s.remove(2); s.told(c) != "2 1" {
		t.Fatalf("told to %q", s.told(c))
	}
	r.read()
	if r.wants(""); !gone.session.Gone() || gone.session.Next() != nil {
		t.Fatal("the removed node's session goes on")
	}
	if _, err := s.view.Resume(2, nil, 0); !errors.Is(err, ErrUnknown) {
		t.Fatal(err)
	}
	s.node(3, pending)
	if c := s.remove(3); s.told(c) != "3" || r.session.Next() != nil {
		t.Fatal("the removal of a node that nobody saw is told")
	}
	c := s.must(s.view.RemoveNetwork(office, s.next()))
	if s.told(c) != "1" || !r.session.Gone() || s.view.Len() != 0 {
		t.Fatal("the network is gone, its nodes are not")
	}
}

func TestManyChangesArriveAsTheLast(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.node(2)
	r := s.reader(1)
	r.read()
	for range 50 {
		s.node(2, renamed)
		s.node(2)
		s.view.SetSoft(2, Soft{Online: true})
		s.view.SetSoft(2, Soft{})
	}
	if m := r.read(); len(m.Upsert) != 1 || len(m.Soft) != 1 || m.Soft[0].Online {
		t.Fatalf("%v", m)
	}
}

func TestAForgottenDeletionLeadsToASnapshot(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(0, 0).Add(time.Duration(n) * 24 * time.Hour) }
	s := newStage(t, Config{Tombstones: 3})
	for id := range ident.Node(9) {
		s.node(id + 1)
	}
	old, young := s.reader(1), s.reader(1)
	old.read()
	s.must(s.view.RemoveNode(Tombstone{Node: 2, Network: office, Version: s.next(), At: day(1)}))
	young.read()
	s.must(s.view.RemoveNode(Tombstone{Node: 3, Network: office, Version: s.next(), At: day(5)}))
	s.view.Expire(day(2))
	old.resume(1)
	young.resume(1)
	if m := old.read(); !m.Snapshot {
		t.Fatalf("a node that was away too long got %v", m)
	}
	if m := young.read(); m.Snapshot || len(m.Remove) != 1 {
		t.Fatalf("a node that needs one deletion got %v", m)
	}
	live := s.reader(1)
	live.read()
	for id := range ident.Node(4) {
		s.remove(id + 4) // one more than is remembered, to a session that did not read
	}
	live.read()
	young.resume(1)
	young.read()
	for _, r := range []*reader{live, young} {
		r.wants("8 9")
	}
}

func TestADeletionThatWasForgottenAtOnceIsStillHeardOf(t *testing.T) {
	s := newStage(t, Config{})
	s.node(2)
	s.node(1)
	r := s.reader(1)
	r.read()
	s.remove(2)
	s.view.Expire(time.Now())
	r.read() // nothing in the list is newer than what it has
	r.wants("")
}

func TestARestartResendsOnlySoftState(t *testing.T) {
	s := newStage(t, Config{})
	for id := range ident.Node(20) {
		s.node(id + 1)
		s.view.SetSoft(id+1, Soft{Online: true})
	}
	r := s.reader(1)
	r.read()
	again := newStage(t, Config{Boot: 2, Hard: s.hard})
	again.view = New(Config{Epoch: 1, Boot: 2, Hard: s.hard})
	again.must(again.view.PutNetwork(networkOf(office, true), 1))
	for id := range ident.Node(20) {
		again.must(again.view.PutNode(nodeOf(id+1), uint64(id)+2))
	}
	again.view.SetSoft(5, Soft{Online: true})
	r.stage = again
	r.resume(1)
	m := r.read()
	if m.Snapshot || len(m.Upsert) > 0 || len(m.Soft) != 1 {
		t.Fatalf("%v", m)
	}
	r.wants(strings.Replace("2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", "5 ", "5* ", 1))
}

func TestAStrangeCursorLeadsToASnapshot(t *testing.T) {
	s := newStage(t, Config{Epoch: 4, Hard: 10})
	s.node(1)
	s.node(2)
	for what, c := range map[string]Cursor{
		"another epoch": {Epoch: 3, Hard: s.hard, Boot: 1}, "the future": {Epoch: 4, Hard: s.hard + 1, Boot: 1},
		"before the node": {Epoch: 4, Hard: 11, Boot: 1}, "zero": {},
	} {
		r := s.reader(1)
		session, err := s.view.Resume(1, cursorMessage(c), 0)
		if err != nil {
			t.Fatal(err)
		}
		r.session = session
		if m := r.read(); !m.Snapshot {
			t.Errorf("%s: %v", what, m)
		}
		r.wants("2")
	}
}

func TestWhoWasCutOffInTheMiddleStartsWhereItWas(t *testing.T) {
	s := newStage(t, Config{Piece: 700})
	for id := range ident.Node(20) {
		s.node(id + 1)
	}
	r := s.reader(1)
	r.take(r.session.Next())
	r.session.Sent()
	s.node(21) // while a snapshot is under way
	s.remove(20)
	r.read()
	if r.wants("2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 21"); r.frames < 5 {
		t.Fatalf("%d frames: not in pieces", r.frames)
	}
	for id := range ident.Node(19) {
		s.node(id+1, renamed)
	}
	r.take(r.session.Next())
	r.session.Sent()
	r.resume(1)
	if m := r.read(); m.Snapshot || len(m.Upsert) != 18 || m.Self == nil {
		t.Fatalf("after a lost piece: %d peers, self %v", len(m.Upsert), m.Self)
	}
}

func TestAClosedNetworkEndsASnapshotUnderWay(t *testing.T) {
	s := newStage(t, Config{Piece: 700})
	for id := range ident.Node(20) {
		s.node(id + 1)
	}
	r := s.reader(1)
	r.take(r.session.Next())
	r.session.Sent()
	s.network(office, false)
	r.read()
	if r.wants(""); r.frames != 1 || r.cursor == nil {
		t.Fatalf("%d frames after the closing", r.frames)
	}
}

func TestAFrameThatWasNotTakenIsMerged(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	r := s.reader(1)
	r.read()
	s.node(2)
	first := r.session.Next() // the stream would not take it
	s.node(3)
	if m := r.take(r.session.Next()); len(m.Upsert) != 2 || first == nil {
		t.Fatalf("%v", m)
	}
}

func TestAChangeWhileAFrameIsTakenComesNext(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	s.node(2)
	r := s.reader(1)
	r.read()
	s.node(3)
	b := r.session.Next()
	s.remove(2)
	s.network(office, false)
	r.session.Sent()
	r.take(b)
	r.wants("2 3")
	r.read()
	r.wants("")
}

func TestCaughtUpMembersShareTheSameBytes(t *testing.T) {
	s := newStage(t, Config{Piece: 4000})
	for id := range ident.Node(200) {
		s.node(id + 1)
	}
	var all []*reader
	var first [][]byte
	for id := range ident.Node(200) {
		r := s.reader(id + 1)
		all = append(all, r)
		for b := r.session.Next(); b != nil; b = r.session.Next() {
			if r.session.Sent(); id == 0 {
				first = append(first, b)
			} else if id == 199 {
				first = slices.DeleteFunc(first, func(f []byte) bool { return &f[0] == &b[0] })
			}
			r.take(b)
		}
	}
	if len(first) > 3 { // the greeting and the pieces that hold the two
		t.Fatalf("%d pieces of a snapshot are not shared", len(first))
	}
	s.node(7, renamed)
	s.view.SetSoft(9, Soft{Online: true})
	frames := map[*byte]int{}
	for _, r := range all {
		b := r.session.Next()
		r.session.Sent()
		r.take(b)
		frames[&b[0]]++
	}
	if len(frames) != 3 {
		t.Fatalf("%d different frames for the two subjects and the rest", len(frames))
	}
}

func TestChangesOutOfOrderAreRefused(t *testing.T) {
	s := newStage(t, Config{})
	s.node(1)
	r := s.reader(1)
	r.read()
	for what, version := range map[string]uint64{"told": s.hard, "older": s.hard - 1} {
		if _, err := s.view.PutNode(nodeOf(2), version); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := s.view.RemoveNode(Tombstone{Node: 1, Network: office, Version: version}); !errors.Is(err, ErrOrder) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.wants("")
	if r.session.Next() != nil || s.view.Len() != 1 {
		t.Fatal("a refused change has left something")
	}
}

func TestWhatCannotBeToldIsRefused(t *testing.T) {
	s := newStage(t, Config{})
	s.network(lab, true)
	s.node(1)
	for what, edit := range map[string]func(*Node){
		"no record": func(n *Node) { n.Record = nil }, "long record": func(n *Node) { n.Record = make([]byte, control.MaxRecord+1) },
		"no id": func(n *Node) { n.ID = 0 }, "half a signature": func(n *Node) { n.Signature = n.Signature[:32] }, "another network": inLab,
	} {
		if _, err := s.view.PutNode(nodeOf(1, edit), s.next()); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.view.PutNode(nodeOf(1, func(n *Node) { n.Network = 99 }), s.next()); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.view.RemoveNetwork(99, s.next()); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.view.PutNetwork(Network{ID: 9, Name: "\xff"}, s.next()); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}
