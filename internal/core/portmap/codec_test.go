package portmap

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
)

var (
	local   = netip.MustParseAddr("192.168.1.10")
	gateway = netip.MustParseAddr("192.168.1.1")
	outside = netip.MustParseAddr("203.0.113.5")
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The bytes are made by hand after RFC 6887, figures 2, 3, 9 and 10, and RFC 6886, sections 3.2 and 3.3.
func TestRequestsAreAsTheRFCsDrawThem(t *testing.T) {
	for want, r := range map[string]Request{
		"02 01 0000 00001c20 00000000000000000000ffffc0a8010a 0102030405060708090a0b0c 11 000000 a2a9 a2a9 00000000000000000000ffff00000000": {
			Protocol: PCP, Op: Map, Local: local, Nonce: Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Internal: 41641, External: 41641, Lifetime: 7200},
		"02 00 0000 00000000 00000000000000000000ffffc0a8010a": {Protocol: PCP, Local: local},
		"00 00":                         {Protocol: NATPMP},
		"00 01 0000 a2a9 1388 00001c20": {Protocol: NATPMP, Op: Map, Internal: 41641, External: 5000, Lifetime: 7200},
	} {
		got := r.Append([]byte("x"))
		if !bytes.Equal(got[1:], unhex(t, want)) {
			t.Errorf("%+v: %x, want %s", r, got[1:], want)
		}
		back, err := ParseRequest(got[1:])
		if r.Op == Map && r.Protocol == PCP {
			r.Wanted = netip.IPv4Unspecified()
		}
		if err != nil || back != r {
			t.Errorf("%+v comes back as %+v, %v", r, back, err)
		}
	}
}

func TestAnswersAreAsTheRFCsDrawThem(t *testing.T) {
	for text, want := range map[string]Answer{
		"02 81 00 00 00000e10 00000064 000000000000000000000000 0102030405060708090a0b0c 11 000000 a2a9 1388 00000000000000000000ffffcb007105": {
			Protocol: PCP, Op: Map, Lifetime: 3600, Epoch: 100, Nonce: Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Internal: 41641, External: 5000, Addr: outside},
		"02 80 00 00 00000000 00000064 000000000000000000000000": {Protocol: PCP, Epoch: 100},
		"02 81 00 01 00000000 00000064 000000000000000000000000": {Protocol: PCP, Op: Map, Result: UnsupportedVersion, Epoch: 100},
		"00 80 0000 00000064 cb007105":                           {Protocol: NATPMP, Epoch: 100, Addr: outside},
		"00 81 0000 00000064 a2a9 1388 00000e10":                 {Protocol: NATPMP, Op: Map, Epoch: 100, Internal: 41641, External: 5000, Lifetime: 3600},
		"00 81 0001 00000064":                                    {Protocol: NATPMP, Op: Map, Result: UnsupportedVersion, Epoch: 100},
	} {
		got, err := ParseAnswer(unhex(t, text))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if b := want.Append(nil); want.Result == Success && !bytes.Equal(b, unhex(t, text)) {
			t.Errorf("%+v is written as %x", want, b)
		}
	}
}

func TestCutAndStrangeMessagesAreRefused(t *testing.T) {
	whole := (&Answer{Protocol: PCP, Op: Map, Addr: outside}).Append(nil)
	tcp := bytes.Clone(whole)
	tcp[36] = 6
	for name, b := range map[string][]byte{
		"nothing": nil, "one byte": {2}, "cut": whole[:50], "TCP": tcp, "PCP 1": append([]byte{1}, whole[1:]...), "PEER": {2, 0x82, 0, 0, 0, 0, 0, 0},
		"a question": (&Request{Protocol: PCP, Op: Map, Local: local}).Append(nil), "huge": append(whole, make([]byte, 1100)...),
		"half an address": {0, 0x80, 0, 0, 0, 0, 0, 0, 1, 2}, "half a mapping": {0, 0x81, 0, 0, 0, 0, 0, 0, 1, 2},
	} {
		if a, err := ParseAnswer(b); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for _, b := range [][]byte{nil, {0}, {0, 1, 0}, {0, 2, 0, 0}, {2, 1, 0}, {2, 2, 0}, {3, 0}} {
		if r, err := ParseRequest(b); err == nil {
			t.Errorf("%x: %+v", b, r)
		}
	}
}

func TestOnlyAddressesThatARouterCanHaveAreSound(t *testing.T) {
	for s, want := range map[string]bool{"203.0.113.5": true, "10.0.0.1": true, "100.64.0.1": true, "0.1.2.3": false, "127.0.0.1": false, "224.0.0.1": false,
		"169.254.169.254": false, "255.255.255.255": false, "240.0.0.1": false, "0.0.0.0": false, "2001:db8::1": false} {
		if got := Sound(netip.MustParseAddr(s), local); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	if Sound(netip.Addr{}, local) || !Sound(netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")) {
		t.Error("no address, or one of IPv6")
	}
	if !Inner(netip.MustParseAddr("100.100.0.1")) || !Inner(netip.MustParseAddr("192.168.0.1")) || Inner(outside) {
		t.Error("what is behind another NAT")
	}
}

func FuzzParse(f *testing.F) {
	f.Add((&Answer{Protocol: PCP, Op: Map, Addr: outside}).Append(nil))
	f.Add((&Answer{Protocol: NATPMP, Op: Map, External: 7}).Append(nil))
	f.Add((&Answer{Protocol: NATPMP, Addr: outside}).Append(nil))
	f.Add((&Request{Protocol: PCP, Op: Map, Local: local}).Append(nil))
	f.Add((&Request{Protocol: NATPMP, Op: Map}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := ParseAnswer(b); err == nil && a.Result == Success {
			if again, err := ParseAnswer(a.Append(nil)); err != nil || again != a {
				t.Fatalf("%+v comes back as %+v, %v", a, again, err)
			}
		}
		if r, err := ParseRequest(b); err == nil {
			if again, err := ParseRequest(r.Append(nil)); err != nil || again != r {
				t.Fatalf("%+v comes back as %+v, %v", r, again, err)
			}
		}
	})
}
