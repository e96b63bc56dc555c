package netmap

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// placed is a peer in a class of policy.
func placed(p *pb.Peer, class uint64, user string) *pb.Peer {
	p.Class, p.User = class, user
	return p
}

func TestAnotherClassIsNoOtherNode(t *testing.T) {
	d := newDesk(t, snapshot(10, placed(peer(1), 7, "ann@a.org"), peer(2)))
	d.cfg.Verify = func(key.IdentityPublic, []byte, []byte) bool {
		t.Error("verified again")
		return true
	}
	d.apply(deltaOf(10, 11, placed(peer(1), 8, "ann@a.org")))
	d.wants("~1", "1 2")
	d.apply(deltaOf(11, 12, placed(peer(1), 8, "ann@a.org")))
	d.wants("", "1 2")
	d.apply(deltaOf(12, 13, placed(peer(1), 8, "evil\x1b[2J")))
	if p := d.Peer(1); p.Class != 8 || p.User != "" {
		t.Fatalf("%+v", p)
	}
	d.cfg.Verify = sealed
	again, err := Decode(d.cfg, d.Encode())
	if err != nil || again.Peer(1).Class != 8 {
		t.Fatalf("from the disk: %v", err)
	}
}

func TestRulesArriveInPartsAndStay(t *testing.T) {
	m := snapshot(10, peer(1))
	m.More, m.Rules = true, [][]byte{[]byte("who may "), []byte("do ")}
	d := newDesk(t, m)
	if d.Rules().Name != 0 {
		t.Fatal("rules before their end")
	}
	d.apply(&pb.Map{To: m.To, Rules: [][]byte{[]byte("what")}, RulesName: 5})
	if r := d.Rules(); r.Name != 5 || string(r.Bytes) != "who may do what" {
		t.Fatalf("%+v", r)
	}
	if last := d.out.Events[len(d.out.Events)-1]; last.Kind != RulesChanged {
		t.Fatalf("%+v", d.out.Events)
	}
	d.apply(snapshot(11, peer(1)))
	if d.Rules().Name != 5 {
		t.Error("a snapshot that does not speak of rules has taken them away")
	}
	again, err := Decode(d.cfg, d.Encode())
	if err != nil || again.Rules().Name != 5 || !bytes.Equal(again.Rules().Bytes, d.Rules().Bytes) {
		t.Fatalf("from the disk: %v", err)
	}
}

func TestRulesThatAreNoneAreRefusedWithTheMap(t *testing.T) {
	d := newDesk(t, snapshot(10, peer(1)))
	d.cfg.Rules = func(b []byte) error { return errors.New("no charter") }
	m := deltaOf(10, 11, peer(2))
	m.Rules, m.RulesName = [][]byte{{1}}, 9
	if err := d.Apply(m, &d.out); !errors.Is(err, ErrMalformed) || d.Rules().Name != 0 || d.Peer(2) != nil {
		t.Fatalf("%v", err)
	}
	m.Rules = [][]byte{make([]byte, MaxRules), {1}}
	if err := d.Apply(m, &d.out); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func TestTheNodeItselfAmongPeersIsIgnored(t *testing.T) {
	d := newDesk(t, snapshot(10, peer(1)))
	m := deltaOf(10, 11, peer(me))
	m.Remove = []uint64{uint64(me)}
	d.apply(m)
	d.wants("", "1")
	if d.Peer(ident.Node(me)) != nil {
		t.Fatal("the node is its own peer")
	}
}
