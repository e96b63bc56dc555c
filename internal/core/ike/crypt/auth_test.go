package crypt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func transcript() Transcript {
	return Transcript{Init: fill(300, 1), Nonce: fill(32, 2), ID: msg.Identity{Kind: msg.IDFQDN, Data: []byte("a.example")}, Peer: fill(32, 3)}
}

func sha256PRF(t testing.TB) PRF {
	t.Helper()
	p, err := NewPRF(msg.Transform{Type: msg.PRF, ID: msg.PRFSHA256})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signers are keys of each kind, by name.
func signers(t testing.TB) map[string]crypto.Signer {
	t.Helper()
	all := map[string]crypto.Signer{}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all[c.Params().Name] = k
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	all["Ed25519"] = ed
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	all["RSA"] = r
	return all
}

func TestAProofConvincesOnlyWhoHasTheKeyAndTheTranscript(t *testing.T) {
	p, policy := sha256PRF(t), modern().Signatures
	keys := signers(t)
	for name, key := range keys {
		for _, peer := range [][]Hash{{SHA256}, {SHA384}, {SHA512}, {SHA256, SHA384, SHA512, Identity}, nil} {
			auth, err := Credential{Key: key}.Prove(p, policy, peer, transcript())
			possible := name == "Ed25519" && len(peer) == 4 || name == "RSA" && peer != nil || strings.HasPrefix(name, "P-")
			if (err == nil) != possible {
				t.Errorf("%s for a peer that takes %v: %v", name, peer, err)
			}
			if err != nil {
				continue
			}
			good := Evidence{Public: key.Public()}
			proof, err := good.Verify(p, policy, auth, transcript())
			if err != nil || !proof.Valid() || string(proof.Identity().Data) != "a.example" {
				t.Errorf("%s, %v: %v", name, peer, err)
			}
			refuse(t, name, p, policy, auth, good)
		}
	}
}

// refuse tries what must not convince.
func refuse(t *testing.T, name string, p PRF, policy Signatures, auth msg.Auth, good Evidence) {
	t.Helper()
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	changed := transcript()
	changed.Nonce = fill(32, 9)
	identity := transcript()
	identity.ID.Reserved[1] = 1
	broken := auth
	broken.Data = bytes.Clone(auth.Data)
	broken.Data[len(broken.Data)-1] ^= 1
	short := auth
	short.Data = auth.Data[:len(auth.Data)-1]
	strict := policy
	strict.Hashes = nil
	for why, c := range map[string]struct {
		auth msg.Auth
		e    Evidence
		t    Transcript
		s    Signatures
	}{
		"another key": {auth, Evidence{Public: other.Public()}, transcript(), policy}, "another nonce": {auth, good, changed, policy},
		"reserved bits of the identity": {auth, good, identity, policy}, "a bit of the signature": {broken, good, transcript(), policy},
		"a cut signature": {short, good, transcript(), policy}, "no evidence": {auth, Evidence{}, transcript(), policy},
		"a secret instead": {auth, Evidence{Shared: fill(32, 1)}, transcript(), policy}, "no hash allowed": {auth, good, transcript(), strict},
		"nothing allowed": {auth, good, transcript(), Signatures{}},
		"another method":  {msg.Auth{Method: msg.AuthRSA, Data: auth.Data}, good, transcript(), policy},
		"no method":       {msg.Auth{Method: msg.AuthNull, Data: auth.Data}, good, transcript(), policy},
		"a shared key":    {msg.Auth{Method: msg.AuthSharedKey, Data: auth.Data}, good, transcript(), policy},
	} {
		if proof, err := c.e.Verify(p, c.s, c.auth, c.t); err == nil || proof.Valid() {
			t.Errorf("%s: %s convinces", name, why)
		}
	}
}

func TestSharedSecrets(t *testing.T) {
	p, policy := sha256PRF(t), modern().Signatures
	secret := []byte("a secret of two peers")
	auth, err := Credential{Shared: secret}.Prove(p, policy, nil, transcript())
	if err != nil {
		t.Fatal(err)
	}
	want := p.Sum(p.Sum(secret, []byte("Key Pad for IKEv2")), fill(300, 1), fill(32, 2), p.Sum(fill(32, 3), []byte("\x02\x00\x00\x00a.example")))
	if auth.Method != msg.AuthSharedKey || !bytes.Equal(auth.Data, want) {
		t.Errorf("AUTH is %x, want %x", auth.Data, want)
	}
	if proof, err := (Evidence{Shared: secret}).Verify(p, policy, auth, transcript()); err != nil || !proof.Valid() {
		t.Error(err)
	}
	refuse(t, "secret", p, policy, auth, Evidence{Shared: []byte("a secret of two others")})
	for _, short := range [][]byte{nil, {}, []byte("seven b")} {
		if _, err := (Credential{Shared: short}).Prove(p, policy, nil, transcript()); err == nil {
			t.Errorf("a secret of %d bytes proves", len(short))
		}
		forged := msg.Auth{Method: msg.AuthSharedKey, Data: p.shared(short, transcript())}
		if _, err := (Evidence{Shared: short}).Verify(p, policy, forged, transcript()); err == nil {
			t.Errorf("a secret of %d bytes convinces", len(short))
		}
	}
}

// The class of CVE-2018-16151: what looks like padding or an algorithm must be it, to the last byte.
func TestWhoseKeyIsNotAllowedHearsWhichWouldBe(t *testing.T) {
	profile, err := NewProfile(FIPS)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const instead = " are not allowed; use ECDSA P-256, ECDSA P-384, ECDSA P-521, RSA-PSS from 2048 bits"
	for kind, key := range map[string]crypto.PublicKey{
		"Ed25519":          make(ed25519.PublicKey, ed25519.PublicKeySize),
		"ECDSA P-224":      small.Public(),
		"RSA of 1024 bits": &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537},

		"RSA of 2048 bits and the exponent 3": &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 3},
	} {
		if err := profile.Signatures.verify(key, msg.Auth{Method: msg.AuthSignature}, nil); err == nil || err.Error() != "signatures with "+kind+instead {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestOldSignaturesOfRSAAreBelievedOnlyWhereAllowed(t *testing.T) {
	p, policy := sha256PRF(t), modern().Signatures
	key := signers(t)["RSA"].(*rsa.PrivateKey)
	octets := transcript().octets(p)
	for _, sch := range schemes {
		if !sch.old {
			continue
		}
		sig, err := key.Sign(rand.Reader, sch.hash.sum(octets), sch.hash.function())
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range sch.ids {
			auth, err := msg.NewSignature(id, sig)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (Evidence{Public: key.Public()}).Verify(p, policy, auth, transcript()); err != nil {
				t.Errorf("%s: %v", sch.name, err)
			}
			never := policy
			never.PKCS1 = false
			if _, err := (Evidence{Public: key.Public()}).Verify(p, never, auth, transcript()); err == nil {
				t.Errorf("%s is believed where it is not allowed", sch.name)
			}
			large := policy
			large.RSA = 3072
			if _, err := (Evidence{Public: key.Public()}).Verify(p, large, auth, transcript()); err == nil {
				t.Errorf("%s: a key of 2048 bits is believed where 3072 are wanted", sch.name)
			}
			auth.Data[2] ^= 1
			if _, err := (Evidence{Public: key.Public()}).Verify(p, policy, auth, transcript()); err == nil {
				t.Errorf("%s: another algorithm is believed", sch.name)
			}
		}
	}
}

// RFC 7427, appendix A, and the standard library's parser agree with the table.
func TestAlgorithmIdentifiersAreDER(t *testing.T) {
	for _, sch := range schemes {
		for _, id := range sch.ids {
			var a pkix.AlgorithmIdentifier
			if rest, err := asn1.Unmarshal(id, &a); err != nil || len(rest) > 0 {
				t.Errorf("%s: %x: %v, %d bytes left", sch.name, id, err, len(rest))
			}
			if strings.Contains(sch.name, "PSS") {
				var params struct {
					Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
					MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
					Salt int                      `asn1:"explicit,tag:2"`
				}
				rest, err := asn1.Unmarshal(a.Parameters.FullBytes, &params)
				if err != nil || len(rest) > 0 || params.Salt != sch.hash.function().Size() {
					t.Errorf("%s: %x: %v, %+v", sch.name, id, err, params)
				}
			}
		}
	}
}

// Fragments, ciphers and padding do not show in IntAuth (RFC 9242 §3.3.2).
func TestIntermediateCoversHeaderAndPlaintext(t *testing.T) {
	p := sha256PRF(t)
	h := msg.Header{SPIi: 1, SPIr: 2, Exchange: msg.IKEIntermediate, Flags: msg.FromInitiator, ID: 1}
	plain := fill(9, 7)
	got, err := p.Intermediate(fill(32, 1), nil, h, msg.TypeKE, plain)
	if err != nil {
		t.Fatal(err)
	}
	whole := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 46, 0x20, 43, 8, 0, 0, 0, 1, 0, 0, 0, 28 + 4 + 9, 34, 0, 0, 4 + 9}
	if want := p.Sum(fill(32, 1), whole, plain); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
