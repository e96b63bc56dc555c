package view

import (
	"net/netip"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func cursorMessage(c Cursor) *pb.Cursor {
	return &pb.Cursor{Epoch: c.Epoch, Hard: c.Hard, Boot: c.Boot, Soft: c.Soft}
}

func TestHandWrittenBytesAreTheMessages(t *testing.T) {
	record, sig := []byte("record"), []byte("signature")
	from, to := Cursor{1, 2, 3, 4}, Cursor{5, 0, 1 << 63, 1 << 40}
	soft := Soft{Online: true, Endpoints: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("[2001:db8::1]:41641")}}
	routes := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("fd12::/64")}
	a := &member{id: 1 << 62, peer: peerBody(record, sig, routes), pending: true, soft: appendSoftBody(nil, 1<<62, soft)}
	b := &member{id: 5, peer: peerBody(record, nil, routes[:1])}
	entry := control.Plain{ID: 6, Name: "phone", WG: key.WGPublic{1}, Address4: netip.MustParseAddr("10.7.0.6"), Revision: 1}.Encode()
	field, err := networkField(networkOf(office, false))
	if err != nil {
		t.Fatal(err)
	}
	var p pieces
	p.begin(control.MaxPiece, &from, to)
	p.network(field)
	p.self(a)
	p.upsert(b)
	p.remove(a)
	p.remove(b)
	p.soft(a)
	p.soft(b)
	p.plain(&device{id: 6, entry: entry})
	p.plain(&device{id: 1 << 61})
	p.trust(&trust{field: appendBytes(nil, mapTrust, control.EncodeAuthorities(control.Authorities{Spread: time.Second}))})
	out := p.end(true)
	got := (&reader{stage: &stage{t: t}, cursor: cursorMessage(from)})
	got.take(out[0])
	want := &pb.Map{
		From: cursorMessage(from), To: cursorMessage(to), More: true,
		Network: &pb.Network{Name: "net-7", Tenant: "acme", Domain: "net-7.acme.cvlan.internal", Closed: true,
			Range4: []byte{10, 7, 0, 0, 16}, Range6: []byte{0xfd, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64}},
		Self:   &pb.Self{Record: record, Signature: sig, Pending: true, Routes: control.AppendRoutes(nil, routes)},
		Upsert: []*pb.Peer{{Record: record, Routes: [][]byte{{0, 0, 0, 0, 0}}}},
		Remove: []uint64{1 << 62, 5},
		Soft: []*pb.Soft{{Node: 1 << 62, Online: true, Endpoints: [][]byte{{192, 0, 2, 1, 0, 80},
			{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 162, 169}}}, {Node: 5}},
		Plain: []*pb.Plain{{Id: 6, Name: "phone", WgKey: append([]byte{1}, make([]byte, 31)...), Address4: []byte{10, 7, 0, 6}, Revision: 1}}, RemovePlain: []uint64{1 << 61},
		Authorities: &pb.Authorities{Signing: make([]byte, 32), SpreadMs: 1000},
	}
	if !proto.Equal(got.open, want) {
		t.Fatalf("got  %v\nwant %v", got.open, want)
	}
}

func TestSoftStateKeepsToItsBounds(t *testing.T) {
	var s Soft
	s.Endpoints = append(s.Endpoints, netip.AddrPort{}, netip.MustParseAddrPort("0.0.0.0:1"), netip.MustParseAddrPort("10.0.0.1:0"))
	for i := range 40 {
		s.Endpoints = append(s.Endpoints, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(i+1)))
	}
	s.LastSeen = time.Unix(1700000000, 5)
	m := new(pb.Soft)
	if err := proto.Unmarshal(appendSoftBody(nil, 5, s), m); err != nil {
		t.Fatal(err)
	}
	if len(m.Endpoints) != MaxEndpoints || m.Endpoints[0][5] != 1 || m.LastSeen != 1700000000 {
		t.Fatalf("%v", m)
	}
	s.Online = true
	if err := proto.Unmarshal(appendSoftBody(nil, 5, s), m); err != nil || m.LastSeen != 0 {
		t.Fatalf("a node that is online was last seen at %d, %v", m.LastSeen, err)
	}
}

func TestPiecesKeepToTheirLength(t *testing.T) {
	var p pieces
	p.begin(1000, nil, Cursor{Epoch: 1})
	for i := range 100 {
		p.upsert(&member{peer: make([]byte, i*3)})
	}
	out := p.end(false)
	for i, b := range out {
		if len(b) > 1020 || i < len(out)-1 && len(b) < 700 {
			t.Errorf("piece %d of %d has %d bytes", i, len(out), len(b))
		}
	}
}
