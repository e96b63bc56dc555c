package netmap

import (
	"errors"
	"testing"
	"time"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestWhatAuthoritiesAreWorthIsKept(t *testing.T) {
	old, young := control.AuthorityOf([]byte("old")), control.AuthorityOf([]byte("young"))
	want := control.Authorities{Signing: young, Ended: []control.AuthorityID{old}, Spread: time.Minute}
	m := snapshot(10, peer(1))
	m.Authorities = want.Message()
	d := newDesk(t)
	d.apply(m)
	if last := d.out.Events[len(d.out.Events)-1]; last.Kind != TrustChanged || !d.Authorities().Equal(want) {
		t.Fatalf("%+v, %+v", d.out.Events, d.Authorities())
	}
	d.apply(snapshot(14, peer(1))) // does not speak of them
	if !d.Authorities().Equal(want) {
		t.Fatal("a snapshot that says nothing has made an old authority good again")
	}
	kept, err := Decode(d.cfg, d.Encode())
	if err != nil || !kept.Authorities().Equal(want) {
		t.Fatal("lost over a restart:", err)
	}
	m = &pb.Map{From: at(14), To: at(14), Authorities: want.Message()}
	if d.apply(m); len(d.out.Events) != 0 {
		t.Fatalf("the same is told as a change: %+v", d.out.Events)
	}
}

func TestAuthoritiesThatAreNoneMakeAMapMalformed(t *testing.T) {
	d := newDesk(t)
	m := snapshot(10, peer(1))
	m.Authorities = &pb.Authorities{Signing: []byte("short")}
	if err := d.Apply(m, &d.out); !errors.Is(err, ErrMalformed) {
		t.Fatal(err)
	}
}

func TestTheNetworksProtocolIsReadAndKept(t *testing.T) {
	for said, want := range map[uint32]control.Tunnels{0: 0, 1: control.WireGuard, 2: control.IPsec, 3: 0, 4: 0, 1 << 20: 0} {
		d := newDesk(t)
		m := snapshot(10, peer(1))
		m.Network.Protocol = said
		d.apply(m)
		kept, err := Decode(d.cfg, d.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := kept.Network(); n.Protocol != want {
			t.Errorf("%d is read as %v, want %v", said, n.Protocol, want)
		}
	}
}
