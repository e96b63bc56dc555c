package msg

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
)

func TestPrefixesBecomeRanges(t *testing.T) {
	for prefix, want := range map[string][2]string{
		"0.0.0.0/0":       {"0.0.0.0", "255.255.255.255"},
		"10.1.2.3/12":     {"10.0.0.0", "10.15.255.255"},
		"192.0.2.1/32":    {"192.0.2.1", "192.0.2.1"},
		"::/0":            {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		"2001:db8::/33":   {"2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
		"2001:db8::1/128": {"2001:db8::1", "2001:db8::1"},
	} {
		s := PrefixSelector(netip.MustParsePrefix(prefix))
		if s.From != netip.MustParseAddr(want[0]) || s.To != netip.MustParseAddr(want[1]) || s.FromPort != 0 || s.ToPort != 65535 || s.Protocol != 0 {
			t.Errorf("%s is %+v", prefix, s)
		}
		if (s.Kind == SelectIPv4) != s.From.Is4() || s.OpaquePorts() {
			t.Errorf("%s is %+v", prefix, s)
		}
	}
	if !(Selector{FromPort: 65535}).OpaquePorts() {
		t.Error("OPAQUE is not")
	}
}

func TestSettingsHoldAddressesAndSubnets(t *testing.T) {
	for _, p := range []string{"0.0.0.0/0", "10.1.0.0/16", "192.0.2.1/32", "2001:db8::/48", "::/0"} {
		if got, ok := SubnetConfig(netip.MustParsePrefix(p)).Prefix(); !ok || got.String() != p {
			t.Errorf("%s comes back as %s, %t", p, got, ok)
		}
	}
	four, six := []byte{10, 0, 0, 1}, netip.MustParseAddr("2001:db8::1").AsSlice()
	for want, c := range map[string]Config{
		"10.0.0.1":    {Kind: ConfigIP4, Value: four},
		"2001:db8::1": {Kind: ConfigIP6, Value: append(slices.Clone(six), 64)},
	} {
		if a, ok := c.Addr(); !ok || a.String() != want {
			t.Errorf("%s is %s, %t", want, a, ok)
		}
	}
	for _, c := range []Config{
		{Kind: ConfigIP4},
		{Kind: ConfigIP4, Value: four[:3]},
		{Kind: ConfigIP4DNS, Value: append(slices.Clone(six), 64)},
		{Kind: ConfigIP4Subnet, Value: []byte{10, 0, 0, 0, 255, 0, 255, 0}},
		{Kind: ConfigIP4Subnet, Value: []byte{10, 0, 0, 0, 0, 0, 0}},
		{Kind: ConfigIP6Subnet, Value: append(slices.Clone(six), 129)},
	} {
		if _, ok := c.Prefix(); ok {
			t.Errorf("%+v is a subnet", c)
		}
		if a, ok := c.Addr(); ok {
			t.Errorf("%+v is address %s", c, a)
		}
	}
}

func TestIdentitiesAreAddresses(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "fe80::1%eth0": "fe80::1"} {
		id := AddrIdentity(netip.MustParseAddr(in))
		if got, ok := id.Addr(); !ok || got.String() != want {
			t.Errorf("%s comes back as %s, %t", in, got, ok)
		}
	}
	if _, ok := (Identity{Kind: IDKeyID, Data: fill(4, 0)}).Addr(); ok {
		t.Error("a key ID is an address")
	}
}

func TestAuthoritiesAreWholeHashes(t *testing.T) {
	c := CertReq{Encoding: CertX509, Authorities: fill(59, 0)}
	got := slices.Collect(c.Hashes())
	if len(got) != 2 || got[0][0] != 0 || got[1][0] != 20 {
		t.Errorf("%v", got)
	}
}

func TestSignaturesNameTheirAlgorithm(t *testing.T) {
	a, err := NewSignature(fill(255, 0), []byte("signed"))
	if err != nil {
		t.Fatal(err)
	}
	if alg, sig, ok := a.Signature(); !ok || !bytes.Equal(alg, fill(255, 0)) || string(sig) != "signed" {
		t.Errorf("%x %q %t", alg, sig, ok)
	}
	for _, n := range []int{0, 256} {
		if _, err := NewSignature(fill(n, 0), []byte("signed")); err == nil {
			t.Errorf("an algorithm of %d bytes is taken", n)
		}
	}
	if _, _, ok := (Auth{Method: AuthSharedKey, Data: []byte{1, 2, 3}}).Signature(); ok {
		t.Error("a shared key has signed")
	}
}

func TestSPIsBelongToTheirProtocol(t *testing.T) {
	four, eight := []byte{0x31, 2, 3, 4}, fill(8, 1)
	if spi, ok := (Notify{Protocol: ProtocolESP, SPI: four}).ChildSPI(); !ok || spi != 0x31020304 {
		t.Errorf("%x %t", spi, ok)
	}
	for _, n := range []Notify{{Protocol: ProtocolIKE, SPI: four}, {SPI: four}, {Protocol: ProtocolESP}, {Protocol: ProtocolAH, SPI: eight}} {
		if _, ok := n.ChildSPI(); ok {
			t.Errorf("%+v is about a Child SA", n)
		}
	}
	if method, ok := (Notify{Data: []byte{0, 14}}).Uint16(); !ok || method != 14 {
		t.Errorf("%d %t", method, ok)
	}
	if _, ok := (Notify{Data: []byte{14}}).Uint16(); ok {
		t.Error("one byte is a number of 16 bits")
	}
}

func TestTransformsAreEqualAndNamed(t *testing.T) {
	gcm := Transform{Type: Encryption, ID: EncrAESGCM16, KeyBits: 256}
	strange := gcm
	strange.Unknown = []Attribute{{Type: 1}}
	if !gcm.Equal(gcm) || gcm.Equal(strange) || strange.Equal(strange) || gcm.Equal(Transform{Type: Encryption, ID: EncrAESGCM16, KeyBits: 128}) {
		t.Error("equality")
	}
	for want, s := range map[string]interface{ String() string }{
		"AES_GCM_16-256":         gcm,
		"AES_GCM_16-256+unknown": strange,
		"ENCR 99":                Transform{Type: Encryption, ID: 99},
		"PRF_HMAC_SHA2_384":      Transform{Type: PRF, ID: PRFSHA384},
		"HMAC_SHA2_256_128":      Transform{Type: Integrity, ID: IntegSHA256},
		"ML_KEM_768":             Transform{Type: AdditionalKE1, ID: KEMLKEM768},
		"ESN":                    Transform{Type: SequenceNumbers, ID: Sequence64},
		"ADDKE7":                 AdditionalKE7,
		"transform type 13 9":    Transform{Type: 13, ID: 9},
	} {
		if s.String() != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}

// Two code points with one name would make logs lie.
func TestEveryCodePointHasItsOwnName(t *testing.T) {
	kinds := map[string]func(n uint16) string{
		"notify":   func(n uint16) string { return NotifyType(n).String() },
		"exchange": func(n uint16) string { return Exchange(n & 0xff).String() },
		"payload":  func(n uint16) string { return PayloadType(n & 0xff).String() },
		"protocol": func(n uint16) string { return Protocol(n & 0xff).String() },
		"ID":       func(n uint16) string { return IDKind(n & 0xff).String() },
		"auth":     func(n uint16) string { return AuthMethod(n & 0xff).String() },
		"selector": func(n uint16) string { return SelectorKind(n & 0xff).String() },
		"config":   func(n uint16) string { return ConfigType(n).String() },
		"type":     func(n uint16) string { return TransformType(n & 0xff).String() },
		"encr":     func(n uint16) string { return Transform{Type: Encryption, ID: TransformID(n)}.String() },
		"prf":      func(n uint16) string { return Transform{Type: PRF, ID: TransformID(n)}.String() },
		"integ":    func(n uint16) string { return Transform{Type: Integrity, ID: TransformID(n)}.String() },
		"ke":       func(n uint16) string { return Transform{Type: AdditionalKE7, ID: TransformID(n)}.String() },
		"sn":       func(n uint16) string { return Transform{Type: SequenceNumbers, ID: TransformID(n)}.String() },
	}
	for kind, name := range kinds {
		seen := map[string]uint16{}
		for n := range uint16(256) {
			if before, twice := seen[name(n)]; twice || name(n) == "" {
				t.Errorf("%s: %d and %d are both %q", kind, before, n, name(n))
			}
			seen[name(n)] = n
		}
	}
	for want, got := range map[string]string{
		"IKEV2_FRAGMENTATION_SUPPORTED": FragmentationSupported.String(), "IKE_SA_INIT": IKESAInit.String(), "SKF": TypeSKF.String(),
		"digital signature": AuthSignature.String(), "INTERNAL_IP6_SUBNET": ConfigIP6Subnet.String(), "exchange 1": Exchange(1).String(),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestNotificationsAreErrorsOrNot(t *testing.T) {
	seen := map[string]bool{}
	for n := range 1 << 16 {
		kind := NotifyType(n)
		if name := kind.String(); seen[name] {
			t.Errorf("%s twice", name)
		} else {
			seen[name] = true
		}
		if (Notify{Kind: kind}).IsError() && kind.statusName() != "" || !(Notify{Kind: kind}).IsError() && kind.errorName() != "" {
			t.Errorf("%s (%d) is on the wrong side", kind, n)
		}
	}
}
