package netmap

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestSoftStateOfAnEarlierBootFades(t *testing.T) {
	m := snapshot(10, peer(1), peer(2), peer(3))
	m.Soft = []*pb.Soft{
		{Node: 1, Online: true, Endpoints: [][]byte{{192, 0, 2, 1, 0, 80}}},
		{Node: 2, Online: true, Endpoints: [][]byte{{192, 0, 2, 2, 0, 80}}}, {Node: 3, LastSeen: 1700000000}}
	d := newDesk(t, m)
	next := &pb.Cursor{Epoch: 1, Hard: 10, Boot: 77, Soft: 1}
	d.apply(&pb.Map{From: at(10), To: next, Soft: []*pb.Soft{{Node: 2, Online: true}}})
	d.wants("'1 '2", "1 2* 3")
	if e := d.Peer(1).Soft.Endpoints; len(e) != 1 || e[0] != netip.MustParseAddrPort("192.0.2.1:80") {
		t.Fatalf("a controller that restarts has parted two nodes: %v", e)
	}
	if e := d.Peer(2).Soft.Endpoints; len(e) != 0 {
		t.Fatalf("what the controller says does not count: %v", e)
	}
	d.apply(&pb.Map{From: next, To: &pb.Cursor{Epoch: 1, Hard: 11, Boot: 77, Soft: 1}})
	d.wants("", "1 2* 3")
}

func TestASnapshotOfTheSameBootResetsSoftState(t *testing.T) {
	m := snapshot(10, peer(1), peer(2))
	m.Soft = []*pb.Soft{{Node: 1, Online: true}, {Node: 2, Online: true}}
	d := newDesk(t, m)
	m = snapshot(12, peer(1), peer(2))
	m.Soft = []*pb.Soft{{Node: 2, Online: true}}
	d.apply(m)
	d.wants("'1", "1 2*")
}

func TestSoftStateStaysWithAChangedRecordAndGoesWithThePeer(t *testing.T) {
	m := snapshot(10, peer(1))
	m.Soft = []*pb.Soft{{Node: 1, Online: true}}
	d := newDesk(t, m)
	bad := peer(1)
	bad.Signature[0]++
	d.apply(deltaOf(10, 11, bad))
	d.wants("-1 !1", "")
	d.apply(deltaOf(11, 12, peer(1)))
	d.wants("+1", "1*")
	m = deltaOf(12, 13)
	m.Remove = []uint64{1}
	d.apply(m, deltaOf(13, 14, peer(1)))
	d.wants("+1", "1")
}

func TestSoftStateThatNobodySendsDoesNoHarm(t *testing.T) {
	m := &pb.Soft{Node: 1, LastSeen: 1 << 60, Endpoints: [][]byte{{1}, nil, {0, 0, 0, 0, 0, 80}, {192, 0, 2, 1, 0, 80}}}
	for range 100 {
		m.Endpoints = append(m.Endpoints, []byte{192, 0, 2, 1, 0, 81})
	}
	s := parseSoft(m)
	if !s.LastSeen.IsZero() || len(s.Endpoints) != MaxEndpoints-3 || s.Endpoints[0] != netip.MustParseAddrPort("192.0.2.1:80") {
		t.Fatalf("%+v", s)
	}
	if s = parseSoft(&pb.Soft{LastSeen: 1700000000}); !s.LastSeen.Equal(time.Unix(1700000000, 0)) {
		t.Fatalf("%+v", s)
	}
}
