package relay

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"
)

// bond is what the connection of the stories exports, and exports how.
var bond = bytes.Repeat([]byte{0xb0}, bondSize)

func exports(bond []byte) Exporter {
	return func(label string, context []byte, length int) ([]byte, error) {
		if label != bondLabel || context != nil || length != bondSize {
			return nil, errors.New("something else is asked for")
		}
		return bond, nil
	}
}

// theKey is the same in every run, for the vectors.
func theKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// certified is a certificate of a key, the same in every run for the same key (RFC 6979).
func certified(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	born := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "n0000000000009"}, NotBefore: born, NotAfter: born.AddDate(0, 0, 60)}
	der, err := x509.CreateCertificate(nil, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func introduction(t testing.TB) []byte {
	t.Helper()
	f, err := introduce(nil, certified(t, theKey(t)), theKey(t), exports(bond))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// holds reads a frame and asks who holds its certificate's key.
func holds(f []byte, bond []byte) (*x509.Certificate, error) {
	h, err := ReadHello(f)
	if err != nil {
		return nil, err
	}
	return h.Holder(exports(bond))
}

func TestWhoIntroducesItselfHoldsTheKey(t *testing.T) {
	der := certified(t, theKey(t))
	s, err := Introduce(&tls.Certificate{Certificate: [][]byte{der, der}, PrivateKey: theKey(t)}, exports(bond))
	if err != nil {
		t.Fatal(err)
	}
	f, rest, err := NextStream(s)
	if err != nil || len(rest) != 0 {
		t.Fatal(len(rest), err)
	}
	if c, err := holds(f, bond); err != nil || !bytes.Equal(c.Raw, der) {
		t.Fatal(err)
	}
	if c, err := holds(append(bytes.Clone(f), "what is for later versions"...), bond); err != nil || !bytes.Equal(c.Raw, der) {
		t.Error("a later version's frame is refused:", err)
	}
}

// Each byte counts: of what is signed, of the signature, of the lengths, and where the frame ends.
func TestNothingOfAnIntroductionMayBeChanged(t *testing.T) {
	good := introduction(t)
	for i := range good {
		f := bytes.Clone(good)
		f[i] ^= 1
		if _, err := holds(f, bond); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
		if _, err := holds(good[:i], bond); err == nil {
			t.Errorf("%d bytes are enough", i)
		}
	}
	if _, err := ReadHello(append(good, make([]byte, MaxRegister-len(good)+1)...)); err == nil {
		t.Error("it may be of any length")
	}
}

func TestAnIntroductionServesOnItsConnectionOnly(t *testing.T) {
	other := bytes.Clone(bond)
	other[31] ^= 1
	if _, err := holds(introduction(t), other); !errors.Is(err, ErrUnproven) {
		t.Error("on another connection:", err)
	}
	silent := func(string, []byte, int) ([]byte, error) { return nil, errors.New("it exports nothing") }
	if h, err := ReadHello(introduction(t)); err != nil {
		t.Error(err)
	} else if _, err := h.Holder(silent); !errors.Is(err, ErrUnproven) {
		t.Error("on one that exports nothing:", err)
	}
	if _, err := introduce(nil, certified(t, theKey(t)), theKey(t), silent); err == nil {
		t.Error("introduced on one that exports nothing")
	}
}

// with puts a certificate and a signature into a frame.
func with(der, signature []byte) []byte {
	f := Hello{Min: Version, Max: Version}.Append(nil)
	f = append(append(f, byte(len(der)>>8), byte(len(der))), der...)
	return append(append(f, byte(len(signature)>>8), byte(len(signature))), signature...)
}

func TestOnlyTheCertificatesOwnKeyProves(t *testing.T) {
	mine := certified(t, theKey(t))
	thief, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	frame := func(der []byte, k crypto.Signer) []byte {
		f, err := introduce(rand.Reader, der, k, exports(bond))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	signed := func(sum []byte) []byte {
		s, err := theKey(t).Sign(rand.Reader, sum, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	bare := with(mine, nil)
	sum, err := proofSum(bare[:len(bare)-2], exports(bond))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holds(with(mine, signed(sum[:])), bond); err != nil {
		t.Fatal("made by hand:", err)
	}
	context := crypto.SHA256.New()
	context.Write(bytes.Repeat([]byte{' '}, 64)) // what a TLS client signs, over the same bond
	context.Write([]byte("TLS 1.3, client CertificateVerify\x00"))
	context.Write(bond)
	context.Write(bare[:len(bare)-2])
	raw := make([]byte, ed25519.SignatureSize)
	copy(raw, ed25519.Sign(edwards, sum[:]))
	for what, f := range map[string][]byte{
		"another's certificate":               frame(mine, thief),
		"a key of another curve":              frame(certified(t, large), large),
		"a key of another kind":               with(certified(t, edwards), raw),
		"no certificate":                      with(nil, signed(sum[:])),
		"no signature":                        bare,
		"another signature behind the mark":   with(mine, append([]byte{0}, signed(sum[:])...)),
		"a signature made for something else": with(mine, signed(context.Sum(nil))),
		"a certificate that is none":          with([]byte("x"), signed(sum[:])),
		"two certificates":                    with(append(bytes.Clone(mine), mine...), signed(sum[:])),
	} {
		if _, err := holds(f, bond); !errors.Is(err, ErrUnproven) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := introduce(rand.Reader, make([]byte, MaxRegister), thief, exports(bond)); err == nil {
		t.Error("a certificate of any size is shown")
	}
	if _, err := Introduce(&tls.Certificate{Certificate: [][]byte{mine}, PrivateKey: "k"}, exports(bond)); err == nil {
		t.Error("signed without a key")
	}
}

// FuzzHolder lets anybody say anything: nobody is taken for the holder of the certificate but who signed exactly that.
func FuzzHolder(f *testing.F) {
	good := introduction(f)
	der := certified(f, theKey(f))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(with(der, nil))
	f.Add(with(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := holds(b, bond)
		if err != nil {
			return
		}
		if signed := HeaderSize + 2 + len(der); !bytes.Equal(c.Raw, der) || !bytes.Equal(b[:signed], good[:signed]) {
			t.Fatal("somebody else signed for it")
		}
	})
}
