package ca

import (
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
)

func TestEndsAreWarnedOf(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		kind Kind
		days int
		want string
	}{
		{OfCompany, 91, ""}, {OfCompany, 89, "ends in 89 days"}, {OfCompany, 29, "from then on who knows only"}, {OfCompany, 5, "do something now"},
		{OfCompany, -1, "ended on 2026-12-31"}, {OfTenant, 91, ""}, {OfTenant, 29, "it signs nothing"}, {OfRoot, 366, ""}, {OfRoot, 300, "ends in 300 days"},
		{OfRoot, 3, "nobody believes this controller"},
	} {
		e := End{Kind: c.kind, Subject: "CN=CloudVLAN", At: now.AddDate(0, 0, c.days), remedy: "do something"}
		if got := e.Warning(now); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || (got == "") != (e.Urgency(now) == Far) {
			t.Errorf("%s, %d days: %q", c.kind, c.days, got)
		}
	}
}

// Of a company's chain the end that comes first counts, and who can help depends on whose it is.
func TestTheFirstEndOfAChainCounts(t *testing.T) {
	ends := func(years int) []byte { return certtest.New(lives(years, certtest.Authority("of years"))).Cert.Raw }
	for _, c := range []struct {
		chain [][]byte
		years int
		want  string
	}{{[][]byte{ends(1), ends(2)}, 1, "--same-key"}, {[][]byte{ends(2), ends(1)}, 1, "then install the new chain"}} {
		all, err := Ends(store.Authority{Tenant: 7, Certificate: ends(3), Cross: c.chain})
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		if e := all[1]; e.Kind != OfCompany || !e.At.Equal(birth.AddDate(c.years, 0, 0)) || !strings.Contains(e.Warning(e.At), c.want) {
			t.Errorf("%+v", e)
		}
		if w := all[0].Warning(all[0].At); !strings.Contains(w, "cvlan admin ca request") {
			t.Errorf("who is under a company is told: %s", w)
		}
	}
}

func TestTheRootEndsToo(t *testing.T) {
	s := newStage(t)
	all, err := s.Ends(t.Context(), []ident.Tenant{7})
	if err != nil || len(all) != 2 || all[0].Kind != OfRoot || all[1].Kind != OfTenant || !strings.Contains(all[1].Warning(all[1].At), "rotate begin") {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := s.Ends(t.Context(), []ident.Tenant{8}); err == nil {
		t.Error("there is no tenant 8")
	}
}
