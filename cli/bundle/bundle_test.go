package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

func TestAddressesStayComparable(t *testing.T) {
	a := NewAnonymizer([]byte("one bundle's secret"))
	r := rand.New(rand.NewPCG(1, 2))
	common := func(x, y netip.Addr) int {
		p, q := x.AsSlice(), y.AsSlice()
		for i := range p {
			if d := p[i] ^ q[i]; d != 0 {
				return 8*i + bits.LeadingZeros8(d)
			}
		}
		return 8 * len(p)
	}
	for range 2000 {
		base := [4]byte{byte(r.Uint32N(223) + 1), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		x := netip.AddrFrom4(base)
		base[r.IntN(4)] ^= 1 << r.IntN(8)
		y := netip.AddrFrom4(base)
		if x.IsLoopback() || y.IsLoopback() || y.IsMulticast() || y.IsUnspecified() {
			continue
		}
		if before, after := common(x, y), common(a.addr(x), a.addr(y)); before != after && private(x) == private(y) {
			t.Fatalf("%s and %s had %d bits in common, and have %d", x, y, before, after)
		}
		if private(x) != private(a.addr(x)) && private(x) {
			t.Fatalf("%s became %s", x, a.addr(x))
		}
	}
	for _, same := range []string{"127.0.0.1", "::1", "0.0.0.0", "224.0.0.1"} {
		if at := netip.MustParseAddr(same); a.addr(at) != at {
			t.Errorf("%s says nothing of anybody", same)
		}
	}
	if got := a.addr(netip.MustParseAddr("fd12:3456::1")); !netip.MustParsePrefix("fc00::/7").Contains(got) || got == netip.MustParseAddr("fd12:3456::1") {
		t.Errorf("got %s", got)
	}
}

func private(a netip.Addr) bool {
	for _, p := range kept {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func TestNamesAreReplacedAsWordsEverywhere(t *testing.T) {
	a := NewAnonymizer([]byte("s"))
	for _, n := range [][2]string{{"node", "db"}, {"node", "db-2"}, {"network", "office"}, {"user", "ada@example.org"}, {"user", "Ada Lovelace"}, {"node", "db"}, {"controller", "ctl.example.org"}, {"controller", "192.0.2.1"}} {
		a.Name(n[0], n[1])
	}
	for in, want := range map[string]string{
		"db db-2 DB dbx":                            "node-1 node-2 node-1 dbx",
		"peer=db.office.cvlan.internal: silent":     "peer=node-1.network-1.cvlan.internal: silent",
		`{network="office"} 1`:                      `{network="network-1"} 1`,
		"ada@example.org and Ada Lovelace":          "user-1 and user-2",
		"dial ctl.example.org:443: it is db's":      "dial controller-1:443: it is node-1's",
		"at 12:30:00, 2027-03-01T12:00:00Z, 1.2.3":  "at 12:30:00, 2027-03-01T12:00:00Z, 1.2.3",
		"127.0.0.1:53 and [::1]:53, ::1/128, ::1: ": "127.0.0.1:53 and [::1]:53, ::1/128, ::1: ",
	} {
		if got := string(a.Text([]byte(in))); got != want {
			t.Errorf("%q became %q", in, got)
		}
	}
	if once, twice := string(a.Text([]byte("203.0.113.7: no"))), string(a.Text([]byte("(203.0.113.7:80)"))); !strings.Contains(twice, strings.TrimSuffix(once, ": no")) || strings.Contains(once, "203.0.113.7") {
		t.Errorf("%q and %q", once, twice)
	}
	out, err := a.JSON([]byte(`{"db": ["db", 12345678901234567890], "x": {"office": true}}`))
	if err != nil || !strings.Contains(string(out), `"db": [`) || !strings.Contains(string(out), `"node-1"`) || !strings.Contains(string(out), "12345678901234567890") {
		t.Errorf("%s, %v", out, err)
	}
}

// FuzzNoSecretSurvives plants secrets between what is before and behind.
func FuzzNoSecretSurvives(f *testing.F) {
	f.Add("say ", " now", []byte("0123456789abcdef0123456789abcdef"))
	f.Add("key=\"", "\"\n", make([]byte, 32))
	f.Fuzz(func(t *testing.T, before, behind string, secret []byte) {
		if len(secret) < 32 {
			return
		}
		secret = secret[:32]
		psk := base64.StdEncoding.EncodeToString(secret)
		token := base64.RawURLEncoding.EncodeToString(secret)
		for _, planted := range []string{psk, "cvlan-join-1-" + token, "cvk_" + hex.EncodeToString(secret), "-----BEGIN PRIVATE KEY-----\n" + psk, "password: " + token} {
			text := before + " " + planted + " " + behind
			if got := Scrub([]byte(text), nil); bytes.Contains(got, []byte(planted)) {
				t.Fatalf("%q is left in %q", planted, got)
			}
		}
		_ = NewAnonymizer(secret).Text([]byte(before + behind))
	})
}

func TestPublicKeysStay(t *testing.T) {
	public, private := base64.StdEncoding.EncodeToString(make([]byte, 32)), base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	if got := string(Scrub([]byte(public+" "+private), map[string]bool{public: true})); got != public+" "+removed {
		t.Errorf("got %q", got)
	}
}

func TestABundleSaysWhatIsMissing(t *testing.T) {
	b := New(time.Unix(1e9, 0), false)
	b.Status(&local.Status{})
	b.Tunnels(nil)
	b.Check(nil)
	b.Add("policy.json", nil, errors.New("this user may not do that"))
	var out bytes.Buffer
	if err := Write(&out, "folder", time.Unix(1e9, 0), b.Files(bytes.NewReader(make([]byte, 32)))); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	all := tar.NewReader(z)
	for {
		h, err := all.Next()
		if err != nil {
			break
		}
		text, _ := io.ReadAll(all)
		names = append(names, h.Name)
		if strings.HasSuffix(h.Name, "README.txt") && !strings.Contains(string(text), "policy.json: this user may not do that") {
			t.Errorf("%s", text)
		}
	}
	if got := strings.Join(names, " "); got != "folder/README.txt folder/status.json" {
		t.Errorf("got %s", got)
	}
	if files := b.Files(bytes.NewReader(nil)); len(files) != 1 {
		t.Error("without randomness nothing may leave")
	}
}
