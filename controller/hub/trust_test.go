package hub

import (
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/proto/control"
)

func TestManyNodesRenewOverATime(t *testing.T) {
	for nodes, want := range map[int]time.Duration{0: 0, 1: 2 * time.Millisecond, 700: 1400 * time.Millisecond, 100_000: 200 * time.Second, 10_000_000: control.MaxRenewalSpread} {
		if got := spread(nodes); got != want {
			t.Errorf("%d nodes renew within %v, want %v", nodes, got, want)
		}
	}
}

// An authority that has ended is named as long as a certificate of it could last, and of very many the newest.
func TestEndedAuthoritiesAreNamedWhileTheirCertificatesLast(t *testing.T) {
	now := time.Date(2027, 1, 4, 9, 0, 0, 0, time.UTC)
	at := func(name string, ended time.Time) store.OldAuthority {
		return store.OldAuthority{Authority: store.Authority{Certificate: []byte(name)}, Ended: ended}
	}
	old := []store.OldAuthority{at("trusted", time.Time{}), at("yesterday", now.AddDate(0, 0, -1)), at("long ago", now.Add(-store.CertLife))}
	if got := ended(old, now); !slices.Equal(got, []control.AuthorityID{control.AuthorityOf([]byte("yesterday"))}) {
		t.Errorf("%x", got)
	}
	for i := range control.MaxEnded + 5 {
		old = append(old, at(string(rune('a'+i)), now.Add(-time.Duration(i)*time.Minute)))
	}
	got := ended(old, now)
	if len(got) != control.MaxEnded || !slices.Contains(got, control.AuthorityOf([]byte("a"))) || slices.Contains(got, control.AuthorityOf([]byte("yesterday"))) {
		t.Errorf("%d are named", len(got))
	}
	if !slices.IsSortedFunc(got, func(a, b control.AuthorityID) int { return slices.Compare(a[:], b[:]) }) {
		t.Error("equal lists are not told in equal bytes")
	}
}

// Nodes hear by which chains those who know only a company's root believe them: of the authority that signs, and of the one before while it counts.
func TestCompaniesChainsAreToldWhileTheirAuthoritiesCount(t *testing.T) {
	chain := [][]byte{[]byte("sub"), []byte("root")}
	now := store.Authority{Certificate: []byte("now"), Cross: chain}
	old := func(name string, cross [][]byte, ended time.Time) store.OldAuthority {
		return store.OldAuthority{Authority: store.Authority{Certificate: []byte(name), Cross: cross}, Ended: ended}
	}
	got := crossOf(now, []store.OldAuthority{old("before", chain, time.Time{}), old("long ago", chain, time.Unix(1, 0))})
	if len(got) != 2 || got[0].Authority != control.AuthorityOf([]byte("now")) || got[1].Authority != control.AuthorityOf([]byte("before")) {
		t.Errorf("%x", got)
	}
	if got := crossOf(store.Authority{Certificate: []byte("own")}, []store.OldAuthority{old("before", nil, time.Time{})}); got != nil {
		t.Errorf("%x", got)
	}
}
