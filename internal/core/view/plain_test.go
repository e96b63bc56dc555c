package view

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

// plainOf is a device of the office.
func plainOf(id ident.Plain, revision uint64, nodes ...ident.Node) Plain {
	p := control.Plain{ID: id, Name: fmt.Sprintf("phone-%d", id), WG: key.WGPublic{byte(id), 2}, Preshared: key.NewPreshared(),
		Address4: netip.AddrFrom4([4]byte{10, 7, 200, byte(id)}), Revision: revision}
	p.Preshared, _ = key.ParsePreshared(bytes.Repeat([]byte{byte(id)}, key.PresharedSize))
	return Plain{ID: id, Network: office, Entry: p.Encode(), Nodes: nodes}
}

func (s *stage) plain(id ident.Plain, revision uint64, nodes ...ident.Node) Change {
	s.t.Helper()
	return s.must(s.view.PutPlain(plainOf(id, revision, nodes...), s.next()))
}

func (s *stage) removePlain(id ident.Plain, at time.Time, nodes ...ident.Node) Change {
	s.t.Helper()
	return s.must(s.view.RemovePlain(Tombstone{Plain: id, Nodes: nodes, Network: office, Version: s.next(), At: at}))
}

// has checks the plain devices of a reader, each with its revision: "1/1 2/7".
func (r *reader) has(want string) {
	r.t.Helper()
	var all []string
	for id, p := range r.plain {
		all = append(all, fmt.Sprintf("%d/%d", uint64(id), p.Revision))
	}
	slices.Sort(all)
	if got := strings.Join(all, " "); got != want {
		r.t.Errorf("node %d has plain devices %q, want %q", uint64(r.session.Node()), got, want)
	}
}

// plainOffice is three members with open sessions.
func plainOffice(t testing.TB) (s *stage, one, two, three *reader) {
	s = newStage(t, Config{})
	for id := range ident.Node(3) {
		s.node(id + 1)
	}
	one, two, three = s.reader(1), s.reader(2), s.reader(3)
	for _, r := range []*reader{one, two, three} {
		r.read()
	}
	return s, one, two, three
}

func TestAPlainDeviceIsShownToItsNodesAndNobodyElse(t *testing.T) {
	s, one, two, three := plainOffice(t)
	if c := s.plain(1, 1, 1, 2); s.told(c) != "1 2" {
		t.Fatalf("told to %q", s.told(c))
	}
	for _, r := range []*reader{one, two} {
		if m := r.read(); len(m.Plain) != 1 || m.Snapshot || len(m.Upsert) > 0 {
			t.Fatalf("%v", m)
		}
		r.has("1/1")
	}
	if three.session.Next() != nil {
		t.Fatal("a node that was not named is told")
	}
	if c := s.plain(1, 1, 1, 2); !c.IsZero() {
		t.Error("an equal device is a change")
	}
	s.plain(1, 2, 1, 2)
	s.plain(2, 1, 2)
	one.read()
	one.has("1/2")
	two.read()
	two.has("1/2 2/1")
	newcomer := s.reader(2)
	newcomer.read()
	newcomer.has("1/2 2/1")
	newcomer.wants("1 3")
	if c := s.plain(1, 2, 1, 2, 3); s.told(c) != "1 2 3" {
		t.Errorf("another node told to %q", s.told(c))
	}
	three.read()
	three.has("1/2")
}

func TestAPlainDeviceGoesAlsoFromThoseWhoWereAway(t *testing.T) {
	s, one, two, three := plainOffice(t)
	s.plain(1, 1, 1, 2)
	s.plain(2, 1, 1)
	one.read()
	two.read()
	if c := s.removePlain(1, time.Unix(1, 0)); s.told(c) != "1 2" {
		t.Fatalf("told to %q", s.told(c))
	}
	one.read()
	one.has("2/1")
	two.resume(2)
	if m := two.read(); m.Snapshot || len(m.RemovePlain) != 1 {
		t.Fatalf("%v", m)
	}
	two.has("")
	if three.session.Next() != nil {
		t.Fatal("a node that never had it hears of its end")
	}
	if two.resume(2); len(two.read().RemovePlain) > 0 {
		t.Error("who has heard of it hears of it again")
	}
}

func TestAForgottenRemovalLeadsItsNodesToASnapshot(t *testing.T) {
	s, one, two, three := plainOffice(t)
	s.plain(1, 1, 1)
	s.plain(2, 1, 2)
	for _, r := range []*reader{one, two, three} {
		r.read()
	}
	s.removePlain(1, time.Unix(1, 0))
	s.view.Expire(time.Unix(2, 0))
	one.resume(1)
	if m := one.read(); !m.Snapshot || one.frames > 2 {
		t.Fatalf("%d frames: %v", one.frames, m)
	}
	one.has("")
	for _, r := range []*reader{two, three} {
		r.resume(r.session.Node())
		if m := r.read(); m.Snapshot {
			t.Errorf("node %d, which it does not concern, got a snapshot", uint64(r.session.Node()))
		}
	}
	live := s.reader(2)
	live.read()
	s.removePlain(2, time.Unix(3, 0))
	s.view.Expire(time.Unix(4, 0))
	live.read() // its shelf is empty now
	live.has("")
}

func TestADeletedNodeTakesItselfOffTheLists(t *testing.T) {
	s, one, two, _ := plainOffice(t)
	s.plain(1, 1, 1, 2)
	s.plain(2, 1, 2)
	one.read()
	two.read()
	s.remove(2)
	if c := s.must(s.view.PutPlain(plainOf(1, 1, 1), s.next())); !c.IsZero() {
		t.Error("what a node that is gone was told is a change for others")
	}
	one.read()
	one.has("1/1")
	if c := s.must(s.view.PutPlain(plainOf(2, 1), s.next())); !c.IsZero() || s.told(s.removePlain(2, time.Time{})) != "" {
		t.Error("a device that reaches nobody is told")
	}
	if _, err := s.view.PutPlain(plainOf(1, 2, 3), s.next()); !errors.Is(err, ErrInvalid) {
		t.Errorf("a node that is there lost its device: %v", err)
	}
}

func TestWhoSeesNoPeersSeesNoPlainDevices(t *testing.T) {
	s, one, two, _ := plainOffice(t)
	s.plain(1, 1, 1, 2)
	one.read()
	two.read()
	s.network(office, false)
	one.read()
	one.has("")
	if c := s.plain(1, 2, 1, 2); s.told(c) != "" || one.session.Next() != nil {
		t.Errorf("told to %q in a closed network", s.told(c))
	}
	s.network(office, true)
	one.read()
	one.has("1/2")
	s.node(1, pending)
	one.read()
	one.has("")
	two.read()
	two.has("1/2")
	s.node(1)
	one.read()
	one.has("1/2")
}

func TestAnOldSnapshotShowsPlainDevicesAsTheyAre(t *testing.T) {
	s := newStage(t, Config{Piece: 700})
	for id := range ident.Node(40) {
		s.node(id + 1)
	}
	s.plain(1, 1, 5)
	for id := range ident.Plain(9) { // more than a piece holds
		s.plain(id+2, 1, 5, 40)
	}
	s.reader(9).read() // makes the snapshot
	s.plain(1, 2, 5)
	s.removePlain(2, time.Unix(1, 0))
	s.view.Expire(time.Unix(2, 0)) // now the snapshot is too old for those who had it, and good for the rest
	s.plain(11, 1, 5)
	for _, id := range []ident.Node{5, 40, 1} {
		r := s.reader(id)
		if r.read(); len(r.peers) != 39 {
			t.Errorf("node %d sees %d peers", uint64(id), len(r.peers))
		}
		r.has(map[ident.Node]string{5: "1/2 10/1 11/1 3/1 4/1 5/1 6/1 7/1 8/1 9/1", 40: "10/1 3/1 4/1 5/1 6/1 7/1 8/1 9/1"}[id])
	}
}

func TestALoadBringsPlainDevicesInTheOrderOfVersions(t *testing.T) {
	s, one, two, _ := plainOffice(t)
	s.plain(1, 1, 1, 2)
	s.plain(2, 1, 2)
	one.read()
	two.read()
	again := &stage{t: t, view: New(Config{Epoch: 1, Boot: 2, Hard: 20}), hard: 20}
	again.must(again.view.PutNetwork(networkOf(office, true), 1))
	again.must(again.view.PutNode(nodeOf(1), 2))
	again.must(again.view.PutPlain(plainOf(1, 1, 1, 2), 5)) // before one of its nodes
	again.must(again.view.RemovePlain(Tombstone{Plain: 2, Nodes: []ident.Node{2}, Network: office, Version: 8}))
	again.must(again.view.RemovePlain(Tombstone{Plain: 3, Network: 99, Version: 9}))
	again.must(again.view.PutNode(nodeOf(2), 10))
	one.stage, two.stage = again, again
	one.resume(1)
	if m := one.read(); m.Snapshot || len(m.Plain) > 0 {
		t.Errorf("who has everything got %v", m)
	}
	two.resume(2)
	two.read()
	two.has("1/1")
}

func TestPlainDevicesThatCannotBeAreRefused(t *testing.T) {
	s, _, _, _ := plainOffice(t)
	s.network(lab, true)
	s.plain(1, 1, 1)
	for what, spoil := range map[string]func(*Plain){
		"no id": func(p *Plain) { p.ID = 0 }, "no entry": func(p *Plain) { p.Entry = nil }, "long entry": func(p *Plain) { p.Entry = make([]byte, control.MaxPlain+1) },
		"another network": func(p *Plain) { p.Network = lab },
	} {
		p := plainOf(1, 1, 1)
		spoil(&p)
		if _, err := s.view.PutPlain(p, s.next()); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p := plainOf(1, 1, 1)
	p.Network = 99
	if _, err := s.view.PutPlain(p, s.next()); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.view.RemovePlain(Tombstone{Plain: 1, Network: lab, Version: s.next()}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := s.view.PutPlain(plainOf(2, 1), 1); !errors.Is(err, ErrOrder) {
		t.Error(err)
	}
	s.must(s.view.RemoveNetwork(office, s.next()))
	if len(s.view.devices) != 0 {
		t.Error("the network is gone, its devices are not")
	}
}

// Two histories that differ only in what a network has of plain devices: every frame of a node that none is shown to is the same.
func TestFigureNobodyElsePaysForPlainDevices(t *testing.T) {
	frames := func(devices bool) (all [][]byte) {
		s := newStage(t, Config{Epoch: 3, Boot: 1<<63 + 12345, Hard: 1_000_000})
		s.network(lab, true)
		for id := range ident.Node(50) {
			s.node(id + 1)
			s.view.SetSoft(id+1, Soft{Online: true})
		}
		r := s.reader(7)
		read := func() {
			for b := r.session.Next(); b != nil; b = r.session.Next() {
				all = append(all, b)
				r.session.Sent()
				r.take(b)
			}
		}
		for i := range ident.Plain(20) {
			if devices {
				s.plain(i+1, 1, 1, 2)
			} else {
				s.node(1000+ident.Node(i), inLab) // a version, and nothing to tell
			}
			read()
		}
		s.node(3, renamed)
		read()
		r.resume(7)
		read()
		return all
	}
	with, without := frames(true), frames(false)
	total, more := 0, 0
	for i := range without {
		total += len(without[i])
		if i >= len(with) || !bytes.Equal(with[i], without[i]) {
			t.Errorf("frame %d differs", i)
			continue
		}
		more += len(with[i]) - len(without[i])
	}
	if len(with) != len(without) || len(without) < 3 {
		t.Errorf("%d frames, want %d", len(with), len(without))
	}
	fmt.Fprintf(os.Stdout, "FIGURE plain_bytes_to_others %d of %d bytes\n", more, total)
}

// What a device costs a node that it is shown to: one frame when nothing is coalesced.
func TestFigureAPlainDeviceCostsItsNodesLittle(t *testing.T) {
	s, _ := busyOffice(t)
	r := s.reader(7)
	r.read()
	p := plainOf(200, 1, 7)
	p.ID = 1<<62 + 1
	m := control.Plain{ID: p.ID, Name: "alices-phone", WG: key.NewWGPrivate().Public(), Preshared: key.NewPreshared(), Address4: netip.MustParseAddr("10.7.200.1"),
		Address6: netip.MustParseAddr("fd00:7::200:1"), Revision: 1}
	p.Entry = m.Encode()
	s.must(s.view.PutPlain(p, s.next()))
	if r.read(); len(r.plain) != 1 || r.plain[p.ID].Name != m.Name {
		t.Fatal("the node does not have it")
	}
	figure(t, "plain_bytes_per_node", r.bytes, 250)
}
