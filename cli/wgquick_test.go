package cli

import (
	"bytes"
	"image/png"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/key"
)

func configured(edit ...func(*admin.PeerDetail)) wgQuick {
	p := admin.PeerDetail{Peer: admin.Peer{Name: "phone", NetworkName: "office", Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.9"), netip.MustParseAddr("fd00:7::9")}},
		Ends: []admin.PeerEnd{{Name: "web", Key: key.WGPublic{1}.String(), Addresses: []netip.Addr{netip.MustParseAddr("10.7.0.2"), netip.MustParseAddr("fd00:7::2")}}}}
	for _, f := range edit {
		f(&p)
	}
	private, _ := key.ParseWGPrivate(bytes.Repeat([]byte{1}, 32))
	preshared, _ := key.ParsePreshared(bytes.Repeat([]byte{2}, 32))
	return wgQuick{peer: p, private: private, preshared: preshared}
}

func at(endpoints ...string) func(*admin.PeerDetail) {
	return func(p *admin.PeerDetail) {
		p.Ends[0].Endpoints = nil
		for _, e := range endpoints {
			p.Ends[0].Endpoints = append(p.Ends[0].Endpoints, netip.MustParseAddrPort(e))
		}
	}
}

func TestAConfigurationIsWhatWGQuickReads(t *testing.T) {
	text, c, err := configured(at("198.51.100.7:41641")).text(true)
	want := `[Interface]
PrivateKey = AAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAUE=
Address = 10.7.0.9/32, fd00:7::9/128
MTU = 1380

[Peer]
PublicKey = AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
PresharedKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
AllowedIPs = 10.7.0.2/32, fd00:7::2/128
Endpoint = 198.51.100.7:41641
PersistentKeepalive = 25
`
	if err != nil || text != want || !reflect.DeepEqual(c, caveats{}) {
		t.Errorf("%v %v\n%s", err, c, text)
	}
	text, c, err = configured(at("192.168.1.7:41641")).text(false)
	if err != nil || !strings.Contains(text, "# A private address") || len(c.near) != 1 || len(c.unknown) != 0 {
		t.Errorf("%v %v\n%s", err, c, text)
	}
}

func TestTheLikeliestEndpointIsChosen(t *testing.T) {
	for _, c := range []struct {
		all  string
		want string
		near bool
	}{
		{"192.168.1.7:1 [2001:db8::7]:1 198.51.100.7:1 203.0.113.7:1", "198.51.100.7:1", false},
		{"192.168.1.7:1 [fd00::7]:1 [2001:db8::7]:1", "[2001:db8::7]:1", false},
		{"[fd00::7]:1 100.64.0.7:1 10.0.0.7:1", "100.64.0.7:1", true},
		{"[fd00::7]:1", "[fd00::7]:1", true},
		{"[fe80::7]:1 127.0.0.1:1 0.0.0.0:1 [ff02::1]:1 198.51.100.7:0 169.254.1.1:1", "invalid AddrPort", false},
		{"", "invalid AddrPort", false},
	} {
		q := configured(at(strings.Fields(c.all)...))
		if got, near := reach(q.peer.Ends[0]); got.String() != c.want || near != c.near {
			t.Errorf("of %q: %v, %v", c.all, got, near)
		}
	}
}

// A line of the file may run a program (PostUp): a controller that is hostile must not write one.
func TestAHostileControllerWritesNoLine(t *testing.T) {
	evil := "x\nPostUp = touch /tmp/owned\n#"
	q := configured(func(p *admin.PeerDetail) {
		p.Name, p.NetworkName, p.Ends[0].Name = evil, evil, evil
		p.Addresses = append(p.Addresses, netip.MustParseAddr("fe80::1").WithZone(evil))
		p.Ends[0].Addresses = append(p.Ends[0].Addresses, netip.MustParseAddr("fd00::1").WithZone(evil))
		p.Ends[0].Endpoints = []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1").WithZone(evil), 1)}
	})
	text, c, err := q.text(false)
	if err != nil || strings.Contains(text, "PostUp") || len(c.unknown) != 1 || strings.Contains(c.unknown[0], "PostUp") {
		t.Errorf("%v %q\n%s", err, c, text)
	}
	q.peer.Ends[0].Key += evil
	if text, _, err := q.text(false); err == nil {
		t.Errorf("a key that is none passed:\n%s", text)
	}
}

func TestACodeIsTheSameInTheTerminalAndInAPicture(t *testing.T) {
	text, _, _ := configured(at("198.51.100.7:41641")).text(true)
	code, err := encodeQR(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range quiet { // the border is light, and then the first finder begins
		if code.dark(i, i) || code.dark(code.size-1-i, 9) {
			t.Fatal("no border")
		}
	}
	for i := range 7 {
		if !code.dark(quiet+i, quiet) || !code.dark(quiet, quiet+i) || !code.dark(code.size-1-quiet-i, quiet) || !code.dark(quiet+i, code.size-1-quiet) {
			t.Fatal("no finder patterns")
		}
	}
	var b bytes.Buffer
	if err := code.png(&b); err != nil {
		t.Fatal(err)
	}
	p, err := png.Decode(&b)
	if err != nil || p.Bounds().Dx() != code.size*side {
		t.Fatal(err, p.Bounds())
	}
	lines := strings.Split(strings.TrimSuffix(code.text(false), "\n"), "\n")
	for y := range code.size {
		for x, r := range []rune(lines[y/2]) {
			dark := r == ' ' || r == [2]rune{'▄', '▀'}[y%2]
			grey, _, _, _ := p.At(x*side+side/2, y*side+side/2).RGBA()
			if dark != code.dark(x, y) || dark != (grey == 0) {
				t.Fatalf("module %d, %d", x, y)
			}
		}
	}
	if s := code.text(true); !strings.HasPrefix(s, "\x1b[97;40m█") || strings.Count(s, "\x1b[0m\n") != len(lines) {
		t.Error("the terminal's colours are not set")
	}
	if _, err := encodeQR(strings.Repeat("x", 3000)); iox.ExitOf(err) != iox.Invalid || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "phone.conf")
	is := func(want string) {
		t.Helper()
		b, err := os.ReadFile(path)
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".cvlan-*"))
		if string(b) != want || len(left) > 0 {
			t.Errorf("%q, %v; left %v", b, err, left)
		}
		if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
	}
	open := func(replace bool) *outFile {
		t.Helper()
		o, err := openOut(path, replace)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	open(false).discard()
	is("")
	if err := open(false).write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	is("one")
	if _, err := openOut(path, false); iox.ExitOf(err) != iox.Invalid {
		t.Error(err)
	}
	open(true).discard()
	is("one")
	if err := open(true).write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	is("two")
	if _, err := openOut(filepath.Dir(path), true); err == nil {
		t.Error("a folder was taken for a file")
	}
	if _, err := openOut(filepath.Join(path, "x"), true); err == nil {
		t.Error("a file in a file")
	}
}
