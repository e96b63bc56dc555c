package migrate

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/policy/acl"
)

var update = flag.Bool("update", false, "write the golden anew")

func TestNetbirdBecomesWhatTheGoldenSays(t *testing.T) {
	src, err := os.ReadFile("testdata/netbird.json")
	if err != nil {
		t.Fatal(err)
	}
	document, notes, err := Netbird(src)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.Write(document)
	for _, n := range notes {
		fmt.Fprintln(&b, "//", n)
	}
	const path = "testdata/netbird.hujson"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := os.ReadFile(path); b.String() != string(want) {
		t.Errorf("got\n%s\n(go test ./policy/migrate -update writes %s anew)", b.String(), path)
	}
	if d, problems := acl.Parse(document, acl.Options{}); d == nil || len(problems) > 0 {
		t.Error(problems)
	}
}

func TestWhatIsNoPolicyOfNetbirdIsRefused(t *testing.T) {
	for _, s := range []string{"", "{}", "5", `{"policies": 5}`, `[{"rules": 1}]`} {
		if d, _, err := Netbird([]byte(s)); err == nil {
			t.Errorf("%q became %s", s, d)
		}
	}
	if _, _, err := Netbird([]byte(`{"policies": []}`)); err != nil {
		t.Error(err)
	}
}

func FuzzNetbird(f *testing.F) {
	src, _ := os.ReadFile("testdata/netbird.json")
	f.Add(src)
	f.Add([]byte(`[{"enabled":true,"rules":[{"enabled":true,"action":"drop","protocol":"udp","ports":["1-"],"sources":[{"name":"*\n*/"}],"destinations":[{"id":"\u2028"}]}]}]`))
	f.Fuzz(func(t *testing.T, src []byte) {
		document, _, err := Netbird(src)
		if err != nil {
			return
		}
		d, problems := acl.Parse(document, acl.Options{})
		for _, p := range problems {
			if !strings.Contains(p.What, "more than") && !strings.Contains(p.What, "bytes") {
				t.Fatalf("%v\n%s", p, document)
			}
		}
		_ = d
	})
}
