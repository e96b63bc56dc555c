package netmap

import (
	"errors"
	"slices"
	"testing"

	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func relay(id uint64) *pb.Relay {
	return &pb.Relay{Id: id, Name: "fra-1", Region: "eu", Addresses: []string{"192.0.2.9:8443", "fra.example.net:443"}, StunPort: 3478}
}

func relaysOf(all ...*pb.Relay) *pb.Relays { return &pb.Relays{Relays: all} }

func TestRelaysComeAsAWholeAndStay(t *testing.T) {
	m := snapshot(10, peer(1))
	m.Relays = relaysOf(relay(8), relay(3))
	d := newDesk(t)
	d.apply(m)
	if last := d.out.Events[len(d.out.Events)-1]; last.Kind != RelaysChanged {
		t.Fatalf("%+v", d.out.Events)
	}
	if r, ok := d.Relay(8); !ok || r.Name != "fra-1" || r.Region != "eu" || len(r.Addresses) != 2 || r.STUN != 3478 || slices.Collect(d.Relays())[0].ID != 3 {
		t.Fatalf("%+v", r)
	}
	restarted := &pb.Cursor{Epoch: 1, Hard: 10, Boot: 77}
	d.apply(&pb.Map{From: at(10), To: restarted})
	if _, ok := d.Relay(3); !ok {
		t.Fatal("a controller that restarts has taken the relays away")
	}
	m = &pb.Map{From: restarted, To: restarted, Relays: relaysOf(relay(3))}
	if d.apply(m); len(d.out.Events) != 1 {
		t.Fatalf("%+v", d.out.Events)
	}
	if d.apply(m); len(d.out.Events) != 0 {
		t.Fatalf("the same list is told as a change: %+v", d.out.Events)
	}
	d.apply(snapshot(14, peer(1)))
	if _, ok := d.Relay(3); ok {
		t.Fatal("a snapshot without relays leaves one")
	}
}

func TestABadRelayDoesNotHideTheOthers(t *testing.T) {
	bad := []*pb.Relay{relay(0), relay(4), relay(5), relay(6), relay(7), relay(3)}
	bad[1].Name = "not a label"
	bad[2].Addresses = nil
	bad[3].Addresses = []string{"\x1b[31m:1"}
	bad[4].StunPort = 70000
	m := snapshot(10, peer(1))
	m.Relays = relaysOf(append(bad, relay(9))...)
	d := newDesk(t)
	d.apply(m)
	var ids []uint64
	for r := range d.Relays() {
		ids = append(ids, uint64(r.ID))
	}
	if !slices.Equal(ids, []uint64{3, 9}) {
		t.Fatal(ids)
	}
	if n := slices.IndexFunc(d.out.Events, func(e Event) bool { return e.Kind == RelayRefused && e.Why != "" }); n < 0 {
		t.Fatalf("%+v", d.out.Events)
	}
	m = deltaOf(10, 11)
	m.Relays = relaysOf(slices.Repeat([]*pb.Relay{relay(1)}, control.MaxRelays+1)...)
	if err := d.Apply(m, &d.out); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}
