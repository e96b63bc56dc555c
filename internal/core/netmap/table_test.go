package netmap

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestASnapshotFillsTheTable(t *testing.T) {
	m := snapshot(10, peer(3), peer(1))
	m.Soft = []*pb.Soft{{Node: 1, Online: true, Endpoints: [][]byte{{192, 0, 2, 1, 0, 80}}}, {Node: 99, Online: true}}
	d := newDesk(t)
	if d.Cursor() != nil || d.Encode() != nil {
		t.Fatal("an empty table has a map")
	}
	d.apply(m)
	d.wants("N S +1 +3", "1* 3")
	p := d.ByAddress(netip.MustParseAddr("fd00:7::1"))
	if p == nil || p != d.ByName("machine-1") || p != d.ByKey(key.WGPublic{1, 1}) || p.Soft.Endpoints[0] != netip.MustParseAddrPort("192.0.2.1:80") {
		t.Fatalf("%+v", p)
	}
	self, ok := d.Self()
	if n, _ := d.Network(); !ok || n.Name != "office" || n.Range4 != netip.MustParsePrefix("10.7.0.0/16") || !self.Signed || self.Record.Node != me {
		t.Fatalf("%+v %+v", self, n)
	}
	if !proto.Equal(d.Cursor(), at(10)) || d.ByName("machine-50") != nil || d.Peer(99) != nil || d.Peer(me) != nil {
		t.Fatal("the cursor is elsewhere, or somebody is a peer who is not")
	}
}

func TestDeltasChangeOnlyWhatTheyName(t *testing.T) {
	d := newDesk(t, snapshot(10, peer(1), peer(2), peer(3)))
	m := deltaOf(10, 12, peer(2, func(r *control.Record) { r.Name = "renamed" }), peer(4))
	m.Remove = []uint64{1, 77}
	m.Soft = []*pb.Soft{{Node: 3, Online: true}, {Node: 4, Online: true}}
	d.apply(m)
	d.wants("-1 ~2 +4 '3", "2 3* 4*")
	if e := d.out.Events; e[0].Was.Record.Name != "machine-1" || e[1].Was.Record.Name != "machine-2" || e[1].Peer.Record.Name != "renamed" || e[3].Was.Soft.Online {
		t.Fatalf("%+v", e)
	}
	d.apply(deltaOf(12, 13))
	d.wants("", "2 3* 4*")
	d.apply(snapshot(14, peer(2)))
	d.wants("-3 -4 ~2", "2")
}

func TestADeltaFromElsewhereIsOutOfStep(t *testing.T) {
	d := newDesk(t)
	if err := d.Apply(deltaOf(0, 1), &d.out); !errors.Is(err, ErrOutOfStep) {
		t.Fatal("to an empty table:", err)
	}
	if err := d.Apply(&pb.Map{To: at(1)}, &d.out); !errors.Is(err, ErrOutOfStep) {
		t.Fatal("from nowhere:", err)
	}
	d.apply(snapshot(10, peer(1)))
	for _, from := range []uint64{9, 11} {
		if err := d.Apply(deltaOf(from, 12, peer(2)), &d.out); !errors.Is(err, ErrOutOfStep) {
			t.Fatal(from, err)
		}
	}
	d.apply(deltaOf(10, 12, peer(2)))
	d.wants("+2", "1 2")
}

func TestPiecesApplyTogetherOrNotAtAll(t *testing.T) {
	piece := func(m *pb.Map, more bool) *pb.Map { m.More = more; return m }
	rest := func(peers ...*pb.Peer) *pb.Map { return &pb.Map{To: at(10), Upsert: peers} }
	d := newDesk(t, piece(snapshot(10, peer(1)), true), piece(rest(peer(2)), true))
	if d.wants("", ""); d.Cursor() != nil {
		t.Fatal("half a snapshot was applied")
	}
	d.apply(rest(peer(3)))
	d.wants("N S +1 +2 +3", "1 2 3")

	d.apply(piece(deltaOf(10, 12, peer(4)), true))
	d.Begin() // the line broke
	d.apply(piece(deltaOf(10, 13, peer(5)), true), deltaOf(10, 13, peer(6)))
	d.wants("+5 +6", "1 2 3 5 6")

	d.apply(piece(deltaOf(13, 14, peer(7)), true))
	if err := d.Apply(deltaOf(13, 15, peer(8)), &d.out); !errors.Is(err, ErrMalformed) {
		t.Fatal("a piece of another map:", err)
	}
	d.apply(piece(deltaOf(13, 14, peer(7)), true), piece(snapshot(20, peer(9)), true), &pb.Map{To: at(20), Upsert: []*pb.Peer{peer(1)}})
	d.wants("-2 -3 -5 -6 +9", "1 9")
}

func TestABadNodeIsLeftOutAndHidesNobody(t *testing.T) {
	elsewhere := recordOf(9)
	other := elsewhere.Encode()
	for why, bad := range map[string]*pb.Peer{
		"its signature does not hold":                                {Record: other, Signature: make([]byte, key.SignatureSize)},
		"signature does not hold":                                    {Record: other, Signature: seal(elsewhere.Identity, control.Transcript(acme, office+1, other))},
		"its signature":                                              {Record: other},
		"signature does not":                                         {Record: other, Signature: make([]byte, 5000)},
		"its address 10.8.0.1 lies outside":                          peer(9, func(r *control.Record) { r.Address4 = netip.MustParseAddr("10.8.0.1") }),
		"its address fd00:8::1 lies outside":                         peer(9, func(r *control.Record) { r.Address6 = netip.MustParseAddr("fd00:8::1") }),
		"its address 10.7.0.50 belongs to this node":                 peer(9, func(r *control.Record) { r.Address4 = netip.MustParseAddr("10.7.0.50") }),
		"its address fd00:7::1 belongs to " + ident.Node(1).String(): peer(9, func(r *control.Record) { r.Address6 = netip.MustParseAddr("fd00:7::1") }),
		"its name machine-50 belongs to this node":                   peer(9, func(r *control.Record) { r.Name = "machine-50" }),
		"its name machine-1 belongs to n":                            peer(9, func(r *control.Record) { r.Name = "machine-1" }),
		"its WireGuard key belongs to this node":                     peer(9, func(r *control.Record) { r.WG = key.WGPublic{byte(me), 1} }),
		"its WireGuard key belongs to n":                             peer(9, func(r *control.Record) { r.WG = key.WGPublic{1, 1} }),
		"its identity key belongs to this node":                      peer(9, func(r *control.Record) { r.Identity = identities()[me] }),
		"its identity key belongs to n":                              peer(9, func(r *control.Record) { r.Identity = identities()[3] }),
		"node record":                                                {Record: (&pbRecord{9}).bytes()},
	} {
		d := newDesk(t, snapshot(10, bad, peer(1), peer(3)))
		if d.events() != "N S !9 +1 +3" {
			t.Errorf("%s: %s", why, d.events())
		}
		if list(d.Table) != "1 3" {
			t.Errorf("%s: peers %s", why, list(d.Table))
		}
		d.refuses(9, why)
	}
}

// pbRecord is a record with an identifier and nothing else.
type pbRecord struct{ node uint64 }

func (r *pbRecord) bytes() []byte {
	b, _ := proto.Marshal(&pb.Record{Node: r.node})
	return b
}

func TestANodeThatCannotBeNamedIsToldAndForgotten(t *testing.T) {
	long := peer(9)
	long.Record = make([]byte, control.MaxRecord+1)
	m := snapshot(10, long, &pb.Peer{Record: []byte{0xff}}, &pb.Peer{}, peer(1))
	for range 100 {
		m.Upsert = append(m.Upsert, &pb.Peer{})
	}
	d := newDesk(t, m)
	if list(d.Table) != "1" || len(d.out.Events) != 3+maxStrays {
		t.Fatalf("%s: %s", list(d.Table), d.events())
	}
	own := newDesk(t, snapshot(10, peer(me), peer(1)))
	own.wants("N S +1", "1") // what many are told may name the node itself
}

func TestWhoWasLeftOutComesBackWhenTheRivalGoes(t *testing.T) {
	named := func(name string) func(*control.Record) { return func(r *control.Record) { r.Name = name } }
	d := newDesk(t, snapshot(10, peer(1, named("web")), peer(2, named("web")), peer(3)))
	d.wants("N S !2 +1 +3", "1 3")
	m := deltaOf(10, 11)
	m.Remove = []uint64{1}
	m.Soft = []*pb.Soft{{Node: 2, Online: true}}
	d.apply(m)
	d.wants("-1 +2", "2* 3")
	d.apply(deltaOf(11, 12, peer(1, named("web"))))
	d.wants("-2 !2 +1", "1 3")
	d.apply(deltaOf(12, 13, peer(1, named("www"))))
	d.wants("~1 +2", "1 2* 3")
	d.apply(&pb.Map{From: at(13), To: at(14), Self: selfOf(named("www"))})
	d.wants("S -1 !1", "2* 3")
	d.apply(&pb.Map{From: at(14), To: at(15), Self: selfOf()})
	d.wants("S +1", "1 2* 3")
}

func TestTwoPeersSwapAddresses(t *testing.T) {
	with := func(last byte) func(*control.Record) {
		return func(r *control.Record) { r.Address4 = netip.AddrFrom4([4]byte{10, 7, 1, last}) }
	}
	d := newDesk(t, snapshot(10, peer(1, with(1)), peer(2, with(2))))
	d.apply(deltaOf(10, 11, peer(1, with(2)), peer(2, with(1))))
	d.wants("~1 ~2", "1 2")
}

func TestTheNetworksRangeDecidesAnew(t *testing.T) {
	far := peer(2, func(r *control.Record) { r.Address4 = netip.MustParseAddr("10.8.0.2") })
	d := newDesk(t, snapshot(10, peer(1), far))
	d.wants("N S !2 +1", "1")
	wide := net7()
	wide.Range4 = []byte{10, 0, 0, 0, 8}
	d.apply(&pb.Map{From: at(10), To: at(11), Network: wide})
	d.wants("N +2", "1 2")
	d.apply(&pb.Map{From: at(11), To: at(12), Network: net7()})
	d.wants("N -2 !2", "1")
}

func TestSelfIsWhatTheControllerHas(t *testing.T) {
	d := newDesk(t, snapshot(10))
	m := &pb.Map{From: at(10), To: at(11), Self: selfOf(func(r *control.Record) { r.Name = "renamed" })}
	m.Self.Signature = nil
	d.apply(m)
	if s, _ := d.Self(); d.events() != "S" || s.Signed || s.Pending || s.Record.Name != "renamed" || !bytes.Equal(s.Bytes, m.Self.Record) {
		t.Fatalf("%s %+v", d.events(), s)
	}
	m = &pb.Map{From: at(11), To: at(12), Self: selfOf()}
	m.Self.Pending, m.Self.Signature[0] = true, m.Self.Signature[0]^1
	d.apply(m)
	if s, _ := d.Self(); s.Signed || !s.Pending {
		t.Fatal("a signature that does not hold counts")
	}
}

func TestRealSignaturesHoldAndForgedOnesDoNot(t *testing.T) {
	signed := func(id ident.Node, in ident.Network) *pb.Peer {
		k, err := key.NewIdentity()
		if err != nil {
			t.Fatal(err)
		}
		p := peer(id, func(r *control.Record) { r.Identity = k.Public() })
		if p.Signature, err = k.Sign(control.Transcript(acme, in, p.Record)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	c := config
	c.Verify = nil
	d := &desk{Table: New(c), t: t}
	own := signed(me, office)
	d.apply(&pb.Map{To: at(10), Snapshot: true, Network: net7(), Self: &pb.Self{Record: own.Record, Signature: own.Signature},
		Upsert: []*pb.Peer{signed(1, office), signed(2, office+1), peer(3)}})
	d.wants("N S !2 !3 +1", "1")
	if s, _ := d.Self(); !s.Signed {
		t.Fatal("this node's own signature does not hold")
	}
}

func TestARecordIsVerifiedOnce(t *testing.T) {
	n := 0
	c := config
	c.Verify = func(by key.IdentityPublic, m, s []byte) bool { n++; return sealed(by, m, s) }
	d := &desk{Table: New(c), t: t}
	d.apply(snapshot(10, peer(1), peer(2)))
	if n != 3 {
		t.Fatalf("%d verifications of two peers and self", n)
	}
	d.apply(snapshot(11, peer(1), peer(2)), deltaOf(11, 12, peer(1)))
	if n != 3 {
		t.Fatal("what did not change was verified again")
	}
	d.apply(deltaOf(12, 13, peer(1, func(r *control.Record) { r.Revision++ })))
	if n != 4 {
		t.Fatal("a new record was not verified")
	}
	gone := deltaOf(13, 14)
	gone.Remove = []uint64{2}
	d.apply(gone)
	d.apply(deltaOf(14, 15, peer(2)))
	if d.wants("+2", "1 2"); n != 4 {
		t.Fatal("who came back as it was is verified again")
	}
	gone = deltaOf(15, 16)
	gone.Remove = []uint64{2}
	d.apply(gone)
	bad := peer(2)
	bad.Signature = make([]byte, key.SignatureSize)
	d.apply(deltaOf(16, 17, bad))
	if d.wants("!2", "1"); n != 5 {
		t.Fatal("another signature over what was known is believed")
	}
}

func TestWhoLeavesIsRememberedWithinBounds(t *testing.T) {
	var m memory
	add := func(id ident.Node) { m.leave(&entry{id: id, peer: &Peer{}}) }
	for id := range ident.Node(2 * maxRemembered) {
		add(id + 1)
		add(1 + id/2) // again and again: it takes no place of others
		if len(m.known) != len(m.queue) || len(m.queue) > maxRemembered {
			t.Fatal(len(m.known), len(m.queue))
		}
	}
	m.leave(&entry{id: 1 << 40, peer: &Peer{}, fault: "its signature does not hold"})
	if m.back(1<<40, &pb.Peer{}) != nil || m.back(2*maxRemembered, &pb.Peer{}) == nil {
		t.Fatal("what is not sound is remembered, or the newest is not")
	}
}

func TestMapsThatNobodySendsAreRefusedWhole(t *testing.T) {
	d := newDesk(t, snapshot(10, peer(1)))
	before := d.Encode()
	for what, spoil := range map[string]func(*pb.Map){
		"no to":         func(m *pb.Map) { m.To = nil },
		"another epoch": func(m *pb.Map) { m.To.Epoch++ },
		"backwards":     func(m *pb.Map) { m.To.Hard = 5 },
		"soft backward": func(m *pb.Map) { m.To.Soft = 5 },
		"bare snapshot": func(m *pb.Map) { m.Snapshot = true },
		"no network":    func(m *pb.Map) { m.Snapshot, m.Self = true, selfOf() },
		"another self":  func(m *pb.Map) { m.Self = selfOf(func(r *control.Record) { r.Node++ }) },
		"broken self":   func(m *pb.Map) { m.Self = &pb.Self{Record: []byte{1}} },
		"self outside": func(m *pb.Map) {
			m.Self = selfOf(func(r *control.Record) { r.Address4 = netip.MustParseAddr("10.9.0.1") })
		},
		"no range":      func(m *pb.Map) { m.Network = &pb.Network{Name: "a", Tenant: "b", Domain: "c"} },
		"bad range":     func(m *pb.Map) { m.Network = net7(); m.Network.Range4 = []byte{10, 7, 0, 1, 16} },
		"all addresses": func(m *pb.Map) { m.Network = net7(); m.Network.Range4 = []byte{0, 0, 0, 0, 0} },
		"much of six":   func(m *pb.Map) { m.Network = net7(); m.Network.Range6 = append(make([]byte, 16), 3) },
		"six for four":  func(m *pb.Map) { m.Network = net7(); m.Network.Range4 = m.Network.Range6 },
		"loopback":      func(m *pb.Map) { m.Network = net7(); m.Network.Range4 = []byte{127, 7, 0, 0, 16} },
		"escape":        func(m *pb.Map) { m.Network = net7(); m.Network.Name = "\x1b[2J" },
		"tenant":        func(m *pb.Map) { m.Network = net7(); m.Network.Tenant = "" },
		"domain":        func(m *pb.Map) { m.Network = net7(); m.Network.Domain = "a..b" },
	} {
		m := deltaOf(10, 11, peer(2))
		spoil(m)
		if err := d.Apply(m, &d.out); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
		if check(t, d.Table); !bytes.Equal(d.Encode(), before) || len(d.out.Events) > 0 {
			t.Fatalf("%s: the table has changed", what)
		}
	}
	d.apply(deltaOf(10, 11, peer(2)))
	d.wants("+2", "1 2")
}

func TestTheTableIsBounded(t *testing.T) {
	d := newDesk(t, snapshot(10, peer(1)))
	d.bounds = bounds{peers: 20, bytes: 8000, plains: 5}
	many := func(n, size int) (all []*pb.Peer) {
		for i := range n {
			r := (&pbRecord{uint64(i) + 100}).bytes()
			all = append(all, &pb.Peer{Record: append(r, bytes.Repeat([]byte{0x50, 1}, size/2)...)})
		}
		return all
	}
	refused := func(what string, maps ...*pb.Map) {
		t.Helper()
		var err error
		for _, m := range maps {
			if err = d.Apply(m, &d.out); err != nil {
				break
			}
		}
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
		check(t, d.Table)
	}
	refused("one node more than allowed", deltaOf(10, 11, many(20, 0)...))
	refused("more nodes in one map", deltaOf(10, 11, many(21, 0)...))
	refused("more bytes in one map", deltaOf(10, 11, many(10, 1000)...))
	first, second := deltaOf(10, 11, many(5, 1000)...), deltaOf(10, 11, many(9, 1000)[5:]...)
	first.More = true
	refused("more bytes in two pieces", first, second)
	for what, m := range map[string]*pb.Map{"removals": {Remove: make([]uint64, 30)}, "soft states": {Soft: make([]*pb.Soft, 30)}} {
		m.From, m.To = at(10), at(11)
		for i := range m.Remove {
			m.Remove[i] = uint64(i)
		}
		for i := range m.Soft {
			m.Soft[i] = &pb.Soft{Node: uint64(i)}
		}
		refused(what, m)
	}
	d.apply(deltaOf(10, 11, many(7, 1000)...), deltaOf(11, 12, many(7, 1000)...))
	refused("more bytes in two maps", deltaOf(12, 13, many(9, 1000)[7:]...))
	d.apply(deltaOf(12, 14))
	d.wants("", "1")
}

func TestReadingAllocatesNothing(t *testing.T) {
	d := newDesk(t, snapshot(10, peer(1), peer(2)))
	a := netip.MustParseAddr("10.7.0.1")
	if n := testing.AllocsPerRun(100, func() {
		if d.ByAddress(a) == nil || d.ByName("machine-2") == nil || d.Peer(1) == nil || d.Len() != 2 {
			t.Fatal("not found")
		}
		for p := range d.Peers() {
			_ = p
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkApply is a snapshot of 10,000 peers with real signatures, and then one change.
func BenchmarkApply(b *testing.B) {
	const n = 10_000
	m := snapshot(10)
	for i := range ident.Node(n) {
		id, err := key.NewIdentity()
		if err != nil {
			b.Fatal(err)
		}
		r := recordOf(i+1000, func(r *control.Record) {
			r.Identity, r.WG, r.Name = id.Public(), key.WGPublic{byte(i), byte(i >> 8), 2}, fmt.Sprintf("m-%d", i)
			r.Address4 = netip.AddrFrom4([4]byte{10, 7, byte(i>>8) + 1, byte(i)})
			r.Address6 = netip.AddrFrom16([16]byte{0xfd, 0, 0, 7, 13: 1, 14: byte(i >> 8), 15: byte(i)})
		})
		p := peerOf(r)
		p.Signature, _ = id.Sign(control.Transcript(acme, office, p.Record))
		m.Upsert = append(m.Upsert, p)
	}
	c := config
	c.Verify = nil
	var out Out
	var full *Table
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			full = New(c)
			if err := full.Apply(m, &out); err != nil || full.Len() != n {
				b.Fatal(err, full.Len())
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/peer")
	})
	b.Run("delta", func(b *testing.B) {
		b.ReportAllocs()
		for i := uint64(10); b.Loop(); i++ {
			d := deltaOf(i, i+1)
			d.Soft = []*pb.Soft{{Node: 1005, Online: i%2 == 0}}
			if err := full.Apply(d, &out); err != nil || len(out.Events) != 1 {
				b.Fatal(err, out.Events)
			}
		}
	})
	stored := full.Encode()
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(stored)))
		for b.Loop() {
			full.Encode()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(stored)))
		for b.Loop() {
			if x, err := Decode(c, stored); err != nil || x.Len() != n {
				b.Fatal(err)
			}
		}
	})
}
