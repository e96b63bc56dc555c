package netmap

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// deviceOf is a plain device with claims of its own.
func deviceOf(id ident.Plain, edit ...func(*control.Plain)) control.Plain {
	p := control.Plain{ID: id, Name: fmt.Sprintf("phone-%d", id), WG: key.WGPublic{byte(id), 2}, Revision: 1,
		Address4: netip.AddrFrom4([4]byte{10, 7, 200, byte(id)}), Address6: netip.AddrFrom16([16]byte{0xfd, 0, 0, 7, 14: 200, 15: byte(id)})}
	p.Preshared, _ = key.ParsePreshared(bytes.Repeat([]byte{byte(id)}, key.PresharedSize))
	for _, f := range edit {
		f(&p)
	}
	return p
}

func plain(id ident.Plain, edit ...func(*control.Plain)) *pb.Plain {
	m := new(pb.Plain)
	if err := proto.Unmarshal(deviceOf(id, edit...).Encode(), m); err != nil {
		panic(err)
	}
	return m
}

func withPlain(m *pb.Map, all ...*pb.Plain) *pb.Map {
	m.Plain = append(m.Plain, all...)
	return m
}

func revised(p *control.Plain) { p.Revision++ }

func (d *desk) hasPlain(events, devices string) {
	d.t.Helper()
	if got := d.events(); got != events {
		d.t.Errorf("events %q, want %q", got, events)
	}
	if got := plains(d.Table); got != devices {
		d.t.Errorf("plain devices %q, want %q", got, devices)
	}
}

func TestPlainDevicesComeChangeAndGo(t *testing.T) {
	there := func(p *control.Plain) {
		p.Endpoint, p.Keepalive = netip.MustParseAddrPort("192.0.2.7:51820"), 25
	}
	d := newDesk(t, withPlain(snapshot(10, peer(1)), plain(2, there), plain(1)))
	d.hasPlain("N S +1 +p1 +p2", "1/1 2/1")
	want := deviceOf(2, there)
	if p := d.Plain(2); p == nil || *p != want || d.Plain(9) != nil {
		t.Fatalf("%+v, want %+v", p, want)
	}
	m := withPlain(deltaOf(10, 11), plain(1, revised), plain(3), plain(2, there))
	m.RemovePlain = []uint64{77}
	one := d.Plain(1)
	two := d.Plain(2)
	d.apply(m)
	d.hasPlain("~p1 +p3", "1/2 2/1 3/1")
	if e := d.out.Events[0]; e.WasPlain != one || e.Plain != d.Plain(1) || d.Plain(2) != two {
		t.Errorf("%+v", e)
	}
	m = deltaOf(11, 12)
	m.RemovePlain = []uint64{2}
	d.apply(m)
	d.hasPlain("-p2", "1/2 3/1")
	d.apply(withPlain(snapshot(13, peer(1)), plain(3)))
	d.hasPlain("-p1", "3/1")
	d.apply(&pb.Map{From: at(13), To: at(14), Soft: []*pb.Soft{{Node: 1, Online: true}}})
	d.hasPlain("'1", "3/1")
	d.apply(snapshot(15, peer(1)))
	d.hasPlain("-p3 '1", "")
}

func TestAPieceMayHoldPlainDevicesAlone(t *testing.T) {
	first, second := withPlain(deltaOf(10, 11), plain(1)), withPlain(deltaOf(10, 11), plain(2))
	first.More = true
	d := newDesk(t, snapshot(10), first)
	d.hasPlain("", "")
	d.apply(second)
	d.hasPlain("+p1 +p2", "1/1 2/1")
}

func TestAPlainDeviceInTheWayIsLeftOutAndHidesNobody(t *testing.T) {
	for why, bad := range map[string]*pb.Plain{
		"its address 10.8.0.1 lies outside":               plain(9, func(p *control.Plain) { p.Address4 = netip.MustParseAddr("10.8.0.1") }),
		"its address fd00:8::1 lies outside":              plain(9, func(p *control.Plain) { p.Address6 = netip.MustParseAddr("fd00:8::1") }),
		"its endpoint 10.7.3.3:51820 lies inside":         plain(9, func(p *control.Plain) { p.Endpoint = netip.MustParseAddrPort("10.7.3.3:51820") }),
		"its address 10.7.0.50 belongs to this node":      plain(9, func(p *control.Plain) { p.Address4 = netip.MustParseAddr("10.7.0.50") }),
		"its address fd00:7::1 belongs to n":              plain(9, func(p *control.Plain) { p.Address6 = netip.MustParseAddr("fd00:7::1") }),
		"its address 10.7.200.3 belongs to p":             plain(9, func(p *control.Plain) { p.Address4 = netip.MustParseAddr("10.7.200.3") }),
		"its name machine-50 belongs to this node":        plain(9, func(p *control.Plain) { p.Name = "machine-50" }),
		"its name machine-1 belongs to n":                 plain(9, func(p *control.Plain) { p.Name = "machine-1" }),
		"its name phone-3 belongs to p":                   plain(9, func(p *control.Plain) { p.Name = "phone-3" }),
		"its WireGuard key belongs to this node":          plain(9, func(p *control.Plain) { p.WG = key.WGPublic{byte(me), 1} }),
		"its WireGuard key belongs to n":                  plain(9, func(p *control.Plain) { p.WG = key.WGPublic{1, 1} }),
		"its WireGuard key belongs to p":                  plain(9, func(p *control.Plain) { p.WG = key.WGPublic{3, 2} }),
		"plain device: WireGuard preshared key: 5 bytes":  {Id: 9, Name: "phone-9", WgKey: make([]byte, 32), PresharedKey: make([]byte, 5)},
		"plain device: its name is not an RFC 1123 label": plain(9, func(p *control.Plain) { p.Name = "a b" }),
		"plain device: has no identifier or no key":       {Id: 9},
		"plain device: its addresses are not addresses":   plain(9, func(p *control.Plain) { p.Address4, p.Address6 = netip.Addr{}, netip.Addr{} }),
	} {
		d := newDesk(t, withPlain(snapshot(10, peer(1)), bad, plain(3), plain(20)))
		if got := plains(d.Table); !strings.HasPrefix(got, "3/1 20/1 !9: "+why) {
			t.Errorf("%s: %s", why, got)
		}
		if d.events() != "N S !p9 +1 +p3 +p20" {
			t.Errorf("%s: %s", why, d.events())
		}
	}
}

func TestNodesGoBeforePlainDevicesAndPlainDevicesComeBack(t *testing.T) {
	with := func(p *control.Plain) { p.Address4 = netip.MustParseAddr("10.7.0.4") }
	d := newDesk(t, withPlain(snapshot(10), plain(1, with)))
	d.hasPlain("N S +p1", "1/1")
	d.apply(deltaOf(10, 11, peer(4)))
	d.hasPlain("-p1 !p1 +4", "!1: its address 10.7.0.4 belongs to "+ident.Node(4).String())
	m := deltaOf(11, 12)
	m.Remove = []uint64{4}
	d.apply(m)
	d.hasPlain("-4 +p1", "1/1")
	narrow := net7()
	narrow.Range4, narrow.Range6 = []byte{10, 7, 0, 0, 24}, nil
	d.apply(&pb.Map{From: at(12), To: at(13), Network: narrow, Self: selfOf(func(r *control.Record) { r.Address6 = netip.Addr{} })})
	d.hasPlain("N S -p1 !p1", "!1: its address fd00:7::c801 lies outside of the network's ranges")
	d.apply(&pb.Map{From: at(13), To: at(14), Network: net7(), Self: selfOf()})
	d.hasPlain("N S +p1", "1/1")
}

func TestPlainDevicesThatCannotBeKeptAreToldAndForgotten(t *testing.T) {
	long := plain(1)
	long.Name = strings.Repeat("a", control.MaxPlain)
	d := newDesk(t, withPlain(snapshot(10), plain(1), plain(2)))
	d.apply(withPlain(deltaOf(10, 11), long, plain(0), &pb.Plain{}))
	d.hasPlain("-p1 !p0 !p0 !p0", "2/1")
	many := deltaOf(11, 12)
	for range 100 {
		many.Plain = append(many.Plain, &pb.Plain{})
	}
	d.apply(many)
	if len(d.out.Events) != maxStrays {
		t.Error(d.events())
	}
}

func TestPlainDevicesAreBounded(t *testing.T) {
	d := newDesk(t, withPlain(snapshot(10), plain(1), plain(2)))
	d.bounds.plains = 4
	many := func(from, n int) (all []*pb.Plain) {
		for i := range n {
			all = append(all, plain(ident.Plain(from+i)))
		}
		return all
	}
	for what, m := range map[string]*pb.Map{
		"one more than allowed": withPlain(deltaOf(10, 11), many(3, 3)...), "more in one map": withPlain(deltaOf(10, 11), many(1, 5)...),
		"removals": {From: at(10), To: at(11), RemovePlain: []uint64{1, 2, 3, 4, 5}},
	} {
		if err := d.Apply(m, &d.out); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
		check(t, d.Table)
	}
	m := withPlain(deltaOf(10, 11), many(2, 4)...)
	m.RemovePlain = []uint64{1}
	d.apply(m)
	d.hasPlain("-p1 +p3 +p4 +p5", "2/1 3/1 4/1 5/1")
}

func TestStoredPlainDevicesComeBack(t *testing.T) {
	newer := plain(7)
	newer.ProtoReflect().SetUnknown([]byte{0xa0, 6, 1}) // a field of a later version
	a := newDesk(t, withPlain(snapshot(10, peer(1), peer(4)), plain(3), plain(1, func(p *control.Plain) { p.WG = key.WGPublic{4, 1} }), newer, &pb.Plain{Id: 8}))
	b := a.Encode()
	x, err := Decode(config, b)
	if err != nil {
		t.Fatal(err)
	}
	check(t, x)
	if d := same(a.Table, x); d != "" || !bytes.Equal(x.Encode(), b) || *x.Plain(3) != deviceOf(3) {
		t.Fatal("not the same:", d)
	}
	back := &desk{Table: x, t: t}
	m := deltaOf(10, 11)
	m.Remove = []uint64{4}
	back.apply(m)
	back.hasPlain("-4 +p1", "1/1 3/1 7/1 !8: plain device: has no identifier or no key")
}

// A node that knew nothing of plain devices has a cursor that says it has everything: its stored map is not taken over.
func TestAMapOfTheFormerLayoutIsNotTakenOver(t *testing.T) {
	b := bytes.Replace(newDesk(t, snapshot(10)).Encode(), []byte(magic), []byte("cvlan netmap\x001"), 1)
	if _, err := Decode(config, b); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

// BenchmarkPlainDevices is a peer's change in a table with as many plain devices as a network may have.
func BenchmarkPlainDevices(b *testing.B) {
	m := snapshot(10, peer(1))
	for i := range ident.Plain(1000) {
		m.Plain = append(m.Plain, plain(i+1, func(p *control.Plain) {
			p.WG = key.WGPublic{byte(i), byte(i >> 8), 9}
			p.Address4 = netip.AddrFrom4([4]byte{10, 7, 100 + byte(i>>8), byte(i)})
			p.Address6 = netip.AddrFrom16([16]byte{0xfd, 0, 0, 7, 13: 1, 14: byte(i >> 8), 15: byte(i)})
		}))
	}
	t := newDesk(b, m).Table
	var out Out
	b.ReportAllocs()
	for i := uint64(10); b.Loop(); i++ {
		d := deltaOf(i, i+1, peer(2, func(r *control.Record) { r.Revision = i }))
		if err := t.Apply(d, &out); err != nil || len(out.Events) != 1 {
			b.Fatal(err, out.Events)
		}
	}
}
