package resolvconf

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var ours = netip.MustParseAddr("127.0.67.53")

func TestOurServerIsFirstAndOurSearchLineLast(t *testing.T) {
	const before = "# by dhcp\nnameserver 192.0.2.1\nsearch example.com lab.example.com\noptions edns0\n"
	const want = begin + note + `
nameserver 127.0.67.53
# cvlan end
# by dhcp
nameserver 192.0.2.1
search example.com lab.example.com
options edns0
# cvlan begin
search example.com lab.example.com office.acme.cvlan.internal
# cvlan end
`
	got := With(before, ours, []string{"office.acme.cvlan.internal"}, "laptop.example.org")
	if got != want {
		t.Errorf("it became:\n%s", got)
	}
	if again := With(got, ours, []string{"office.acme.cvlan.internal"}, "laptop.example.org"); again != want {
		t.Errorf("a second time it became:\n%s", again)
	}
	if Without(got) != before {
		t.Errorf("without ours it is:\n%s", Without(got))
	}
	if f := Parse(got); !slices.Equal(f.Servers, []netip.Addr{netip.MustParseAddr("192.0.2.1")}) || !slices.Equal(f.Search, []string{"example.com", "lab.example.com"}) {
		t.Errorf("others wrote %+v", f)
	}
}

func TestTheDomainOfTheMachinesNameGoesOnBeingSearched(t *testing.T) {
	for host, want := range map[string]string{"laptop.example.org": "search example.org o.a.cvlan.internal\n", "laptop": "search o.a.cvlan.internal\n"} {
		if got := With("nameserver 192.0.2.1\n", ours, []string{"o.a.cvlan.internal"}, host); !strings.Contains(got, want) {
			t.Errorf("on %s:\n%s", host, got)
		}
	}
}

func TestWhatOthersChangeMeanwhileStays(t *testing.T) {
	with := With("nameserver 192.0.2.1\n", ours, []string{"o.a.cvlan.internal"}, "")
	edited := strings.Replace(with, "192.0.2.1", "192.0.2.9", 1) + "options rotate\n"
	if got, want := Without(edited), "nameserver 192.0.2.9\noptions rotate\n"; got != want {
		t.Errorf("without ours it is:\n%s", got)
	}
}

func TestAMarkWithoutItsEndHidesNothing(t *testing.T) {
	for content, want := range map[string]string{
		begin + "\nnameserver 192.0.2.1\n":                                       "nameserver 192.0.2.1\n",
		begin + "\nnameserver 192.0.2.1\n" + begin + "\nsearch x\n" + end + "\n": "nameserver 192.0.2.1\n",
	} {
		if got := Without(content); got != want {
			t.Errorf("without ours it is:\n%s", got)
		}
	}
}

// FuzzWithout finds no file of others that does not come back as it was.
func FuzzWithout(f *testing.F) {
	for _, s := range []string{"", "\n", "nameserver 192.0.2.1", "search a b\n", "domain a\r\nnameserver ::1\r\n", end + "\n", begin + "\nx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		for _, search := range [][]string{nil, {"o.a.cvlan.internal"}} {
			with := With(content, ours, search, "")
			if !Ours(with) {
				t.Fatal("ours is not in it")
			}
			if got := Without(with); got != Without(content) {
				t.Fatalf("%q came back as %q", content, got)
			}
			if !Ours(content) && !strings.Contains(content, "cvlan") && Without(with) != content {
				t.Fatalf("%q came back as %q", content, Without(with))
			}
			if again := With(with, ours, search, ""); again != with {
				t.Fatalf("a second time it became %q, not %q", again, with)
			}
		}
	})
}
