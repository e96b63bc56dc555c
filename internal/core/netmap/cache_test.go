package netmap

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

func named(name string) func(*control.Record) { return func(r *control.Record) { r.Name = name } }

// stored is a map with a bit of everything.
func stored(t testing.TB) *desk {
	forged := peer(5)
	forged.Signature[3]++
	m := snapshot(10, peer(1, named("web")), peer(2, named("web")), peer(3), forged, &pb.Peer{Record: (&pbRecord{6}).bytes()})
	m.Soft = []*pb.Soft{{Node: 1, Online: true, Endpoints: [][]byte{{192, 0, 2, 1, 0, 80}}}, {Node: 2, Online: true}, {Node: 3, LastSeen: 1700000000}}
	m.Relays = &pb.Relays{Relays: []*pb.Relay{relay(8), relay(3)}}
	m.Self.Signature = nil
	m.Self.Pending = true
	return newDesk(t, m)
}

func TestAStoredMapComesBack(t *testing.T) {
	a := stored(t)
	b := a.Encode()
	x, err := Decode(config, b)
	if err != nil {
		t.Fatal(err)
	}
	check(t, x)
	if d := same(a.Table, x); d != "" || !bytes.Equal(x.Encode(), b) {
		t.Fatal("not the same:", d)
	}
	back := &desk{Table: x, t: t}
	m := deltaOf(10, 11)
	m.Remove = []uint64{1}
	back.apply(m)
	back.wants("-1 +2", "2* 3") // who was left out is remembered
}

func TestSignaturesOfStoredPeersAreNotVerifiedAgain(t *testing.T) {
	b := stored(t).Encode()
	var by []key.IdentityPublic
	c := config
	c.Verify = func(id key.IdentityPublic, m, s []byte) bool { by = append(by, id); return sealed(id, m, s) }
	x, err := Decode(c, b)
	if err != nil || list(x) != "1* 3" {
		t.Fatal(err, list(x))
	}
	if len(by) != 2 || by[0] != identities()[2] || by[1] != identities()[5] {
		t.Fatalf("%d verified, want the two that were left out", len(by))
	}
}

func TestADamagedMapIsNotNone(t *testing.T) {
	b := stored(t).Encode()
	for n := range len(b) {
		if _, err := Decode(config, b[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("torn at %d: %v", n, err)
		}
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 0x10
		if _, err := Decode(config, c); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	if _, err := Decode(config, append(b, 0)); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
	other := config
	other.Node = ident.Node(51)
	if _, err := Decode(other, b); !errors.Is(err, ErrDamaged) {
		t.Fatal("another node's map:", err)
	}
}
