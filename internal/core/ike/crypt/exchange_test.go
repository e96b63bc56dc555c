package crypt

import (
	"bytes"
	"crypto/ecdh"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// sizes are those of an offer, an answer and the secret.
var sizes = map[msg.TransformID][3]int{
	msg.KECurve25519: {32, 32, 32}, msg.KEP256: {64, 64, 32}, msg.KEP384: {96, 96, 48}, msg.KEP521: {132, 132, 66},
	msg.KEMLKEM768: {1184, 1088, 32}, msg.KEMLKEM1024: {1568, 1568, 32},
	msg.KEModp1024: {128, 128, 128}, msg.KEModp2048: {256, 256, 256}, msg.KEModp3072: {384, 384, 384}, msg.KEModp4096: {512, 512, 512},
}

func method(t testing.TB, id msg.TransformID) Method {
	t.Helper()
	m, err := NewMethod(id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func offer(t testing.TB, m Method) Offer {
	t.Helper()
	o, err := m.Offer()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestBothSidesAgree(t *testing.T) {
	for id, size := range sizes {
		name := msg.Transform{Type: msg.KeyExchange, ID: id}.String()
		m := method(t, id)
		o := offer(t, m)
		answer, theirs, err := m.Answer(o.Public())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ours, err := o.Finish(answer)
		if err != nil || !bytes.Equal(ours, theirs) {
			t.Errorf("%s: %x and %x, %v", name, ours, theirs, err)
		}
		if got := [3]int{len(o.Public()), len(answer), len(ours)}; got != size {
			t.Errorf("%s: sizes %v, want %v", name, got, size)
		}
		if _, again, err := m.Answer(o.Public()); err != nil || bytes.Equal(again, theirs) {
			t.Errorf("%s: two answers agree on one secret", name)
		}
		for _, bad := range [][]byte{nil, answer[1:], append(bytes.Clone(answer), 0)} {
			if _, err := o.Finish(bad); err == nil {
				t.Errorf("%s: an answer of %d bytes is taken", name, len(bad))
			}
		}
		for _, bad := range [][]byte{nil, o.Public()[1:], append(o.Public(), 0)} {
			if _, _, err := m.Answer(bad); err == nil {
				t.Errorf("%s: an offer of %d bytes is taken", name, len(bad))
			}
		}
	}
}

func TestPoisonousValuesAreRefused(t *testing.T) {
	for id, size := range sizes {
		poison := map[string][]byte{"zero": make([]byte, size[0])}
		switch id {
		case msg.KEMLKEM768, msg.KEMLKEM1024:
			poison = map[string][]byte{"not reduced": bytes.Repeat([]byte{255}, size[0])} // FIPS 203 §7.2
		case msg.KECurve25519:
			poison["one"] = append([]byte{1}, make([]byte, 31)...) // of small order
		case msg.KEP256, msg.KEP384, msg.KEP521:
			poison["off the curve"] = bytes.Repeat([]byte{0, 1}, size[0]/2)
		default:
			p := method(t, id).(modp).p
			one := big.NewInt(1)
			poison["one"] = one.FillBytes(make([]byte, size[0]))
			poison["p-1"] = new(big.Int).Sub(p, one).Bytes()
			poison["p"] = p.Bytes()
			poison["beyond p"] = new(big.Int).Add(p, big.NewInt(2)).Bytes()
		}
		for name, b := range poison {
			if _, _, err := method(t, id).Answer(b); err == nil {
				t.Errorf("method %d: %s is taken", id, name)
			}
		}
	}
}

// RFC 5903 §8.1, RFC 7748 §6.1.
func TestSecretsOfTheRFCs(t *testing.T) {
	for _, c := range []struct {
		curve                           curve
		private, public, answer, shared string
	}{
		{curve{ecdh.P256(), 1}, "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
			"DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180" + "5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
			"D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63" + "56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
			"D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE"},
		{curve{ecdh.X25519(), 0}, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
			"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
			"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
			"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"},
	} {
		key, err := c.curve.ecdh.NewPrivateKey(unhex(t, c.private))
		if err != nil {
			t.Fatal(err)
		}
		o := curveOffer{c.curve, key}
		if got := o.Public(); !bytes.Equal(got, unhex(t, c.public)) {
			t.Errorf("%s: public %x", c.curve.ecdh, got)
		}
		if got, err := o.Finish(unhex(t, c.answer)); err != nil || !bytes.Equal(got, unhex(t, c.shared)) {
			t.Errorf("%s: shared %x, %v", c.curve.ecdh, got, err)
		}
	}
}

// RFC 3526 defines its primes by the digits of pi.
func TestPrimesAreThoseOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		hex  string
		bits uint
		k    int64
	}{{modp1024, 1024, 129093}, {modp2048, 2048, 124476}, {modp3072, 3072, 1690314}, {modp4096, 4096, 240904}} {
		one := big.NewInt(1)
		want := new(big.Int).Lsh(one, c.bits)
		want.Sub(want, new(big.Int).Lsh(one, c.bits-64))
		want.Sub(want, one)
		digits := pi(c.bits - 130)
		want.Add(want, digits.Lsh(digits.Add(digits, big.NewInt(c.k)), 64))
		if got, ok := new(big.Int).SetString(c.hex, 16); !ok || got.Cmp(want) != 0 {
			t.Errorf("%d bits: %x, want %x", c.bits, got, want)
		}
	}
}

// pi is 2^n times pi, rounded down, by Machin's formula.
func pi(n uint) *big.Int {
	const guard = 64
	unit := new(big.Int).Lsh(big.NewInt(1), n+guard)
	sum := new(big.Int).Mul(arccot(5, unit), big.NewInt(4))
	sum.Sub(sum, arccot(239, unit))
	return sum.Rsh(sum.Mul(sum, big.NewInt(4)), guard)
}

func arccot(x int64, unit *big.Int) *big.Int {
	term := new(big.Int).Div(unit, big.NewInt(x))
	sum := new(big.Int).Set(term)
	for n := int64(3); term.Sign() > 0; n += 2 {
		term.Div(term, big.NewInt(x*x))
		part := new(big.Int).Div(term, big.NewInt(n))
		if n%4 == 3 {
			part.Neg(part)
		}
		sum.Add(sum, part)
	}
	return sum
}

func TestUnknownMethodsAreRefused(t *testing.T) {
	for _, id := range []msg.TransformID{msg.KENone, msg.KEModp1536, msg.KEMLKEM512, 999} {
		if _, err := NewMethod(id); err == nil {
			t.Errorf("method %d is taken", id)
		}
	}
}

const strict = "CVLAN_TEST_STRICT_FIPS"

// What the module does not approve is an error in strict FIPS mode, never a panic; what it does approve works, our own counter of
// AES-GCM included.
func TestStrictFIPSModeHasTheApprovedOnly(t *testing.T) {
	if os.Getenv(strict) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestStrictFIPSModeHasTheApprovedOnly$", "-test.v")
		cmd.Env = append(os.Environ(), strict+"=1", "GODEBUG=fips140=only")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	for id := range sizes {
		var err error
		m, fault := NewMethod(id)
		if err = fault; err == nil {
			_, err = m.Offer()
		}
		approved := id == msg.KEP256 || id == msg.KEP384 || id == msg.KEP521 || id == msg.KEMLKEM768 || id == msg.KEMLKEM1024
		if (err == nil) != approved {
			t.Errorf("method %d: %v", id, err)
		}
	}
	for name, suite := range suites(t) {
		encr, auth := suite.KeySizes()
		s, err := suite.NewSealer(fill(encr, 1), fill(auth, 1), bytes.NewReader(fill(99, 0)))
		if err == nil {
			_, err = seal(s, head)
		}
		if (err == nil) == strings.HasPrefix(name, "CHACHA") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
