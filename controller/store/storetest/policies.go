package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/policy/acl"
)

func policiesHaveAHistory(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	first := must[store.Policy](t)(h.Policy(ctx(), n.ID))
	if first.Network != n.ID || first.Number != 1 || string(first.Text) != string(store.FirstPolicy(false)) || first.Author != admin || first.ETag == "" || first.Version != n.Version+1 || !first.At.Equal(b.now) {
		t.Errorf("%+v", first)
	}
	b.now = b.now.Add(1e9)
	two := must[store.Policy](t)(h.PutPolicy(ctx(), n.ID, []byte(`{"acls": []}`), "k2 (ci)", "merge\x1b 12", first.ETag))
	if two.Number != 2 || two.ETag == first.ETag || two.Version <= first.Version || two.Author != "k2 (ci)" || two.Comment != "merge\ufffd 12" || !two.At.Equal(b.now) {
		t.Errorf("%+v", two)
	}
	if got := must[store.Policy](t)(h.Policy(ctx(), n.ID)); !reflect.DeepEqual(got, two) {
		t.Errorf("read %+v, want %+v", got, two)
	}
	if got := must[store.Policy](t)(h.PolicyAt(ctx(), n.ID, 1)); !reflect.DeepEqual(got, first) {
		t.Errorf("read %+v, want %+v", got, first)
	}
	back := must[store.Policy](t)(h.PutPolicy(ctx(), n.ID, first.Text, admin, "rollback", ""))
	if back.Number != 3 || back.ETag == first.ETag || string(back.Text) != string(first.Text) {
		t.Errorf("%+v", back)
	}
	if same := must[store.Policy](t)(h.PutPolicy(ctx(), n.ID, first.Text, "another", "again", back.ETag)); !reflect.DeepEqual(same, back) {
		t.Errorf("the same text made %+v of %+v", same, back)
	}
	first.Text, two.Text, back.Text = nil, nil, nil
	if got := must[[]store.Policy](t)(h.PolicyHistory(ctx(), n.ID, 0, 10)); !reflect.DeepEqual(got, []store.Policy{back, two, first}) {
		t.Errorf("history %+v", got)
	}
	if got := must[[]store.Policy](t)(h.PolicyHistory(ctx(), n.ID, 3, 1)); !reflect.DeepEqual(got, []store.Policy{two}) {
		t.Errorf("a page of history %+v", got)
	}
	lab := b.network(h, "lab")
	if l := must[store.Load](t)(h.Load(ctx())); len(l.Policies) != 2 || l.Policies[0].Number != 3 || l.Policies[1].Network != lab.ID || l.Policies[1].Text == nil {
		t.Errorf("loaded %+v", l.Policies)
	}
	if all := must[[]store.Policy](t)(h.PoliciesInForce(ctx())); len(all) != 2 || !reflect.DeepEqual(all[0], back) || all[1].Network != lab.ID || all[1].Text != nil {
		t.Errorf("in force %+v", all)
	}
	b.ok(h.DeleteNetwork(ctx(), admin, n.ID, 0))
	_, err := h.Policy(ctx(), n.ID)
	b.refused(err, store.ErrNotFound)
}

func aPolicyOfAnotherVersionIsRefused(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	first := must[store.Policy](t)(h.Policy(ctx(), n.ID))
	two := must[store.Policy](t)(h.PutPolicy(ctx(), n.ID, []byte(`{"acls": []}`), admin, "", first.ETag))
	_, err := h.PutPolicy(ctx(), n.ID, []byte(`{}`), admin, "", first.ETag)
	b.refused(err, store.ErrConflict, two.ETag, "version 2")
	_, err = h.PutPolicy(ctx(), 7, []byte(`{}`), admin, "", "")
	b.refused(err, store.ErrNotFound)
	_, err = h.PolicyAt(ctx(), n.ID, 3)
	b.refused(err, store.ErrNotFound, "version 3")
	for text, want := range map[string]error{"": store.ErrInvalid, "\xff": store.ErrInvalid, strings.Repeat(" ", acl.MaxSize+1): store.ErrLimit} {
		_, err := h.PutPolicy(ctx(), n.ID, []byte(text), admin, "", "")
		b.refused(err, want)
	}
	if got := must[store.Policy](t)(h.Policy(ctx(), n.ID)); !reflect.DeepEqual(got, two) {
		t.Errorf("%+v", got)
	}
}

func aNetworkBeginsWithItsFirstPolicy(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	for _, open := range []bool{true, false} {
		n := must[store.Network](t)(h.CreateNetwork(ctx(), admin, store.Network{Name: fmt.Sprintf("open-%v", open)}, open))
		if got := must[store.Policy](t)(h.Policy(ctx(), n.ID)); got.Number != 1 || string(got.Text) != string(store.FirstPolicy(open)) {
			t.Errorf("%+v", got)
		}
	}
}

func oldPoliciesMakeRoom(t *testing.T, b *bench) {
	_, h := b.tenant("acme")
	n := b.network(h, "office")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range store.MaxPolicies/20 + 1 {
				must[store.Policy](t)(h.PutPolicy(ctx(), n.ID, fmt.Appendf(nil, "{}//%d-%d", i, j), admin, "", ""))
			}
		})
	}
	wg.Wait()
	got := must[[]store.Policy](t)(h.PolicyHistory(ctx(), n.ID, 0, 2*store.MaxPolicies))
	if len(got) != store.MaxPolicies || got[0].Number != store.MaxPolicies+21 || got[len(got)-1].Number != 22 {
		t.Errorf("%d versions, the newest %d", len(got), got[0].Number)
	}
}
