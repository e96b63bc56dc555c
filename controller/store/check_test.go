package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

func TestTheFirstFreeNameIsFoundInFewQuestions(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 7, 8, 9, 1000, 100_000} {
		taken := map[string]bool{}
		for i := range n {
			taken[map[bool]string{true: "web", false: fmt.Sprintf("web-%d", i+1)}[i == 0]] = true
		}
		asked := 0
		got, _, err := FreeName("web", 0, func(s string) (bool, error) { asked++; return taken[s], nil })
		want := fmt.Sprintf("web-%d", n+1)
		if n == 0 {
			want = "web"
		}
		if err != nil || got != want || asked > 40 {
			t.Errorf("among %d: %q, %v after %d questions; want %q", n, got, err, asked, want)
		}
	}
}

func TestAHintSavesQuestions(t *testing.T) {
	asked := 0
	taken := func(s string) (bool, error) {
		asked++
		return s != "web-5001" && s != "web-5002", nil
	}
	got, n, err := FreeName("web", 5000, taken)
	if err != nil || got != "web-5001" || n != 5001 || asked != 1 {
		t.Errorf("%q, %d, %v after %d questions", got, n, err, asked)
	}
}

func TestFreeNamesAreAlwaysFreeLabels(t *testing.T) {
	for wish, want := range map[string]string{"": "node", "Web Server.lan": "web-server", "***": "node", strings.Repeat("a", 80): strings.Repeat("a", 63)} {
		if got, _, _ := FreeName(wish, 0, func(string) (bool, error) { return false, nil }); got != want {
			t.Errorf("%q: %q, want %q", wish, got, want)
		}
	}
	long := strings.Repeat("a", 60) + "-bc"
	got, _, _ := FreeName(long, 0, func(s string) (bool, error) { return s == long, nil })
	if got != strings.Repeat("a", 60)+"-2" || !clean.IsLabel(got) {
		t.Errorf("%q", got)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		taken := map[string]bool{"web": true}
		for i := range 300 {
			taken[fmt.Sprintf("web-%d", i+2)] = r.IntN(4) > 0 // with holes
		}
		got, _, err := FreeName("web", 0, func(s string) (bool, error) { return taken[s], nil })
		if err != nil || taken[got] || !clean.IsLabel(got) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if _, _, err := FreeName("web", 0, func(string) (bool, error) { return true, nil }); !errors.Is(err, ErrLimit) {
		t.Errorf("when all are taken: %v", err)
	}
	broken := errors.New("broken")
	if _, _, err := FreeName("web", 0, func(string) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("when asking fails: %v", err)
	}
}

func TestAnOverlapNamesBothNetworks(t *testing.T) {
	others := []Network{{Name: "lab", Range4: netip.MustParsePrefix("10.20.0.0/16"), Range6: netip.MustParsePrefix("fd00:1::/64")}}
	for _, n := range []Network{
		{Name: "office", Range4: netip.MustParsePrefix("10.20.7.0/24")},
		{Name: "office", Range4: netip.MustParsePrefix("10.0.0.0/8")},
		{Name: "office", Range4: netip.MustParsePrefix("10.30.0.0/16"), Range6: netip.MustParsePrefix("fd00:1::/48")},
	} {
		_, err := Place(seeded(), n, others)
		if !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), `"office"`) || !strings.Contains(err.Error(), `"lab"`) {
			t.Errorf("%v %v: %v", n.Range4, n.Range6, err)
		}
	}
	for _, n := range []Network{
		{Name: "a", Range4: netip.MustParsePrefix("10.21.0.0/16")},
		{Name: "a", Range6: netip.MustParsePrefix("fd00:2::/64")},
	} {
		got, err := Place(seeded(), n, others)
		if err != nil || got.Range4 != n.Range4 || got.Range6 != n.Range6 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := Place(seeded(), Network{Name: "a", Range4: netip.MustParsePrefix("127.0.0.0/8")}, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("loopback: %v", err)
	}
	if _, err := Place(seeded(), Network{Name: "a"}, make([]Network, MaxNetworks)); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
}

func seeded() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

func TestWrongNamesSayWhatWasMeant(t *testing.T) {
	for in, want := range map[string]string{"Office": "did you mean office?", "a.b": "did you mean a?", "": "such as network-1", "-": "such as network-1", "\x1b[2J!": "did you mean"} {
		err := CheckName("network", in)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", in, err)
		}
	}
	if err := CheckName("network", "office-1"); err != nil {
		t.Error(err)
	}
	for _, tags := range [][]string{{"tag:A"}, {"tag:a", "tag:a"}, {"a"}, {"tag:"}, {""}, make([]string, control.MaxTags+1)} {
		if CheckTags(tags) == nil {
			t.Errorf("tags %q pass", tags)
		}
	}
	if err := errors.Join(CheckTags(nil), CheckTags([]string{"tag:a", "tag:b-1"})); err != nil {
		t.Error(err)
	}
	for _, scopes := range [][]string{{""}, {"a\x1b"}, {strings.Repeat("a", 65)}, make([]string, MaxScopes+1)} {
		if CheckScopes(scopes) == nil {
			t.Errorf("scopes %q pass", scopes)
		}
	}
	if err := errors.Join(CheckScopes(nil), CheckScopes([]string{"nodes:read", "admin"})); err != nil {
		t.Error(err)
	}
}

func TestAKeyAdmitsUntilItDoesNot(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		k    JoinKey
		want error
	}{
		{JoinKey{}, nil},
		{JoinKey{Uses: 2, Used: 1, Expires: now.Add(1)}, nil},
		{JoinKey{Uses: 2, Used: 2}, ErrKeyUsedUp},
		{JoinKey{Expires: now}, ErrKeyExpired},
		{JoinKey{Revoked: true, Expires: now}, ErrKeyRevoked},
	} {
		if err := c.k.Usable(now); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%+v: %v, want %v", c.k, err, c.want)
		}
	}
}

func TestWhatAMachineSaysOfItselfIsHarmless(t *testing.T) {
	n := JoinKey{}.Newcomer(Admission{Runs: Report{OS: "linux\x1b[2J" + strings.Repeat("x", 500), Software: "1\n0"}}, time.Now())
	if len(n.OS) > 80 || strings.ContainsAny(n.OS+n.Software, "\x1b\n") {
		t.Errorf("%q %q", n.OS, n.Software)
	}
}

func TestARevisionIsANewUnsignedRecord(t *testing.T) {
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	n := Node{ID: ident.New[ident.Node](), Name: "web", Identity: id.Public(), WG: key.NewWGPrivate().Public(), Address4: netip.MustParseAddr("10.2.0.2"),
		Tags: []string{"server"}, Record: []byte("old"), Signature: []byte{1}, Revision: 4}
	n.Revise()
	r, err := control.ParseRecord(n.Record)
	if err != nil || r.Revision != 5 || n.Revision != 5 || r.Name != "web" || r.Node != n.ID || r.Identity != n.Identity || r.WG != n.WG || r.Address4 != n.Address4 || len(r.Tags) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if n.Signature == nil || string(n.Signed) != "old" {
		t.Error("what was signed last must stay what others see")
	}
	n.Revise()
	if string(n.Signed) != "old" {
		t.Error("a record that was never signed took the place of the one that was")
	}
}
