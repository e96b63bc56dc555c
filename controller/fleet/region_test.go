package fleet

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// region returns with whom the relay was told last to exchange frames.
func (l *line) region() (all []ident.Relay) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.got {
		if u := f.GetRelayUpdate(); u.GetNeighbours() != nil {
			all = nil
			for _, id := range u.Region {
				all = append(all, ident.Relay(id))
			}
		}
	}
	return all
}

func in(addr, region string) *pb.RelayStatus {
	st := at(addr)
	st.Region = region
	return st
}

func TestRelaysHearWhoIsOfTheirRegion(t *testing.T) {
	play(t, func(s *scene) {
		one, two, far, none := s.relay("one", 0), s.relay("two", 0), s.relay("far", 0), s.relay("none", 0)
		branch, other := s.relay("branch", s.tenant), s.relay("other", s.tenant)
		lines := map[ident.Relay]*line{}
		for i, r := range []store.Relay{one, two, far, none, branch, other} {
			region := map[ident.Relay]string{far.ID: "us", none.ID: ""}
			where, special := region[r.ID]
			if !special {
				where = "eu"
			}
			lines[r.ID] = s.dial(r, byte(i), in("192.0.2.9:8443", where))
		}
		want := func(when string, r store.Relay, all ...ident.Relay) {
			s.Helper()
			slices.Sort(all)
			if got := lines[r.ID].region(); !slices.Equal(got, all) {
				s.Errorf("%s: %s was told %v, want %v", when, r.Name, got, all)
			}
		}
		const begin = "at the start"
		want(begin, one, two.ID)
		want(begin, two, one.ID)
		want(begin, far)
		want(begin, none)
		want(begin, branch, other.ID) // relays of one tenant do not mix with those of all
		want(begin, other, branch.ID)
		lines[two.ID].reports(in("192.0.2.9:8443", "us"))
		want("one moved", one)
		want("one moved", two, far.ID)
		want("one moved", far, two.ID)
		s.ok(s.fleet.Delete(s.Context(), me, far.ID))
		synctest.Wait()
		want("one was deleted", two)
	})
}

func TestTheRelayOfARemovedNodeGoes(t *testing.T) {
	play(t, func(s *scene) {
		h := s.db.For(s.tenant)
		net, err := h.CreateNetwork(s.Context(), me, store.Network{Name: "office"}, false)
		s.ok(err)
		var nodes []store.Node
		for _, name := range []string{"hq", "branch"} {
			secret := key.NewSecret()
			k, err := h.CreateJoinKey(s.Context(), me, store.JoinKey{Network: net.ID, Uses: 1, Hash: secret.Hash()})
			s.ok(err)
			id, err := key.NewIdentity()
			s.ok(err)
			n, err := h.Admit(s.Context(), store.Admission{Key: k.ID, Secret: secret, Wish: name, Identity: id.Public(), WG: key.NewWGPrivate().Public()})
			s.ok(err)
			nodes = append(nodes, n)
			before := s.changes.Load()
			_, err = s.fleet.Create(s.Context(), me, store.Relay{Name: name, Tenant: s.tenant, Node: n.ID, Hash: secret.Hash()})
			s.ok(err)
			if s.changes.Load() == before {
				s.Error("the node is not told that it is a relay")
			}
		}
		if all := s.fleet.Relays(s.tenant); len(all) != 2 || len(all[0].Addresses) != 0 {
			s.Fatalf("%+v", all)
		}
		if all := s.fleet.Relays(77); len(all) != 0 {
			s.Fatalf("another tenant hears of %+v", all)
		}
		s.fleet.NodeRemoved(s.tenant, nodes[0].ID, s.now().Add(time.Hour))
		synctest.Wait()
		if all := names(s.fleet.Relays(s.tenant)); !slices.Equal(all, []string{"branch"}) {
			s.Errorf("%v", all)
		}
		s.ok(h.DeleteNode(s.Context(), me, nodes[1].ID, 0)) // and nobody is there to hear of it
		s.ends()
		s.opens()
		if all := s.fleet.Relays(s.tenant); len(all) != 0 {
			s.Errorf("after a restart: %+v", all)
		}
	})
}
