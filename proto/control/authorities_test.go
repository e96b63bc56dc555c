package control

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/proto/control/pb"
)

func TestAuthoritiesSurviveTheWire(t *testing.T) {
	for _, a := range []Authorities{
		{},
		{Signing: AuthorityOf([]byte("new"))},
		{Signing: AuthorityOf([]byte("new")), Ended: []AuthorityID{AuthorityOf([]byte("older")), AuthorityOf([]byte("old"))}, Spread: 90 * time.Second},
		{Signing: AuthorityOf([]byte("new")), Cross: []Cross{{AuthorityOf([]byte("new")), [][]byte{[]byte("sub"), []byte("root")}}, {AuthorityOf([]byte("old")), [][]byte{[]byte("root")}}}},
	} {
		m := new(pb.Authorities)
		if err := proto.Unmarshal(EncodeAuthorities(a), m); err != nil {
			t.Fatal(err)
		}
		if got, err := ParseAuthorities(m); err != nil || !got.Equal(a) {
			t.Errorf("%+v, want %+v: %v", got, a, err)
		}
	}
	a := Authorities{Ended: []AuthorityID{AuthorityOf([]byte("old"))}, Cross: []Cross{{AuthorityOf([]byte("new")), [][]byte{{1}}}}}
	if len(a.CrossOf(AuthorityOf([]byte("new")))) != 1 || a.CrossOf(AuthorityOf([]byte("old"))) != nil {
		t.Error("the chain of another one")
	}
	if !a.IsEnded(AuthorityOf([]byte("old"))) || a.IsEnded(AuthorityOf([]byte("new"))) {
		t.Error("the wrong one has ended")
	}
}

func TestAuthoritiesThatNoControllerTells(t *testing.T) {
	id := make([]byte, 32)
	for name, m := range map[string]*pb.Authorities{
		"no name":              {},
		"a short name":         {Signing: id[:31]},
		"a short one in Ended": {Signing: id, Ended: [][]byte{id, id[:5]}},
		"too many":             {Signing: id, Ended: make([][]byte, MaxEnded+1)},
		"too many chains":      {Signing: id, Cross: make([]*pb.Cross, MaxCross+1)},
		"a chain of nobody":    {Signing: id, Cross: []*pb.Cross{{Chain: [][]byte{{1}}}}},
		"an empty chain":       {Signing: id, Cross: []*pb.Cross{{Authority: id}}},
		"a long chain":         {Signing: id, Cross: []*pb.Cross{{Authority: id, Chain: make([][]byte, MaxCrossChain+1)}}},
		"a heavy chain":        {Signing: id, Cross: []*pb.Cross{{Authority: id, Chain: [][]byte{make([]byte, MaxCrossBytes+1)}}}},
	} {
		if _, err := ParseAuthorities(m); err == nil {
			t.Error(name, "passes")
		}
	}
	if a, err := ParseAuthorities(&pb.Authorities{Signing: id, SpreadMs: 1<<32 - 1}); err != nil || a.Spread != MaxRenewalSpread {
		t.Error("a node would wait for", a.Spread, err)
	}
}
