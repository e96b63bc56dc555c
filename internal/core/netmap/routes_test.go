package netmap

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// routing is a peer through which prefixes are reached.
func routing(p *pb.Peer, routes ...string) *pb.Peer {
	p.Routes = nil
	for _, r := range routes {
		p.Routes = append(p.Routes, control.AppendRange(nil, netip.MustParsePrefix(r)))
	}
	return p
}

func spell(routes []netip.Prefix) (list []string) {
	for _, r := range routes {
		list = append(list, r.String())
	}
	return list
}

func TestRoutesComeAndGoWithoutAnotherSignature(t *testing.T) {
	d := newDesk(t, snapshot(10, routing(peer(1), "192.168.0.0/16", "10.20.0.0/16"), peer(2)))
	if got := spell(d.Peer(1).Routes()); !slices.Equal(got, []string{"10.20.0.0/16", "192.168.0.0/16"}) {
		t.Fatal(got)
	}
	d.cfg.Verify = func(key.IdentityPublic, []byte, []byte) bool {
		t.Error("verified again")
		return true
	}
	d.apply(deltaOf(10, 11, routing(peer(1), "10.20.0.0/16")))
	d.wants("~1", "1 2")
	d.apply(deltaOf(11, 12, routing(peer(1), "10.20.0.0/16")))
	d.wants("", "1 2")
	d.cfg.Verify = sealed
	again, err := Decode(d.cfg, d.Encode())
	if err != nil || !slices.Equal(spell(again.Peer(1).Routes()), []string{"10.20.0.0/16"}) {
		t.Fatalf("from the disk: %v", err)
	}
	gone := deltaOf(12, 13)
	gone.Remove = []uint64{1}
	d.apply(gone, deltaOf(13, 14, routing(peer(1), "fd12::/64")))
	if got := spell(d.Peer(1).Routes()); !slices.Equal(got, []string{"fd12::/64"}) {
		t.Fatalf("who came back has %v", got)
	}
}

func TestBadRoutesAreLeftOutAndTheNodeStays(t *testing.T) {
	bad := []string{"10.7.3.0/24", "10.0.0.0/8", "fd00:7::/96", "127.0.0.0/8", "224.0.0.0/4", "fe80::/64", "169.254.1.0/24", "0.0.0.0/1", "::1/128"}
	for _, r := range bad {
		d := newDesk(t, snapshot(10, routing(peer(1), r, "192.168.5.0/24", "0.0.0.0/0")))
		if got := spell(d.Peer(1).Routes()); !slices.Equal(got, []string{"0.0.0.0/0", "192.168.5.0/24"}) {
			t.Errorf("%s: %v", r, got)
		}
		if d.events() != "N S +1" && !slices.ContainsFunc(d.out.Events, func(e Event) bool { return e.Kind == RouteRefused && e.Node == 1 && e.Why != "" }) {
			t.Errorf("%s: %s", r, d.events())
		}
	}
	p := peer(1)
	p.Routes = [][]byte{{10, 20, 0, 1, 16}, {1, 2}, nil, make([]byte, 16), {10, 30, 0, 0, 16}}
	d := newDesk(t, snapshot(10, p))
	if got := spell(d.Peer(1).Routes()); !slices.Equal(got, []string{"10.30.0.0/16"}) {
		t.Fatal(got)
	}
}

func TestRoutesAreBounded(t *testing.T) {
	p := peer(1)
	for i := range 500 {
		p.Routes = append(p.Routes, []byte{172, 16, byte(i), 0, 24})
	}
	d := newDesk(t, snapshot(10, p))
	if n := len(d.Peer(1).Routes()); n != control.MaxRoutes {
		t.Fatal(n)
	}
}

func TestTheNetworksRangeDecidesAboutRoutesAnew(t *testing.T) {
	d := newDesk(t, snapshot(10, routing(peer(1), "10.8.0.0/16")))
	own := selfOf()
	own.Routes = [][]byte{{10, 8, 0, 0, 16}, {192, 168, 0, 0, 16}}
	d.apply(&pb.Map{From: at(10), To: at(11), Self: own})
	if s, _ := d.Self(); d.events() != "S" || !slices.Equal(spell(s.Routes), []string{"10.8.0.0/16", "192.168.0.0/16"}) {
		t.Fatal(d.events(), s.Routes)
	}
	wide := net7()
	wide.Range4 = []byte{10, 0, 0, 0, 8}
	d.apply(&pb.Map{From: at(11), To: at(12), Network: wide})
	if s, _ := d.Self(); len(s.Routes) != 1 || len(d.Peer(1).Routes()) != 0 {
		t.Fatal(s.Routes, d.Peer(1).Routes())
	}
	again, err := Decode(d.cfg, d.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := again.Self(); len(s.Routes) != 1 {
		t.Fatal("from the disk:", s.Routes)
	}
	d.apply(&pb.Map{From: at(12), To: at(13), Network: net7()})
	if s, _ := d.Self(); len(s.Routes) != 2 || len(d.Peer(1).Routes()) != 1 {
		t.Fatal(s.Routes, d.Peer(1).Routes())
	}
}
