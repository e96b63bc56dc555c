package crypt

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"hash"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// attack is one case of Project Wycheproof: what it is made of, and whether it is to be taken.
type attack struct {
	file, number, result string
	parts                [][]byte
}

// judge does what IKE would with a case, and reports whether it takes it.
type judge func(t *testing.T, parts [][]byte) (taken bool)

// judges are those of the files, by the name of each.
func judges() map[string]judge {
	everything := Signatures{Hashes: []Hash{SHA256, SHA384, SHA512, Identity}, Curves: []int{256, 384, 521}, Ed25519: true, RSA: 2048, PKCS1: true}
	raw := func(m msg.AuthMethod) judge {
		return func(t *testing.T, p [][]byte) bool {
			return everything.verify(public(t, p[0]), msg.Auth{Method: m, Data: p[2]}, p[1]) == nil
		}
	}
	named := func(name string) judge {
		return func(t *testing.T, p [][]byte) bool {
			auth, err := msg.NewSignature(identifier(t, name), p[2])
			return err == nil && everything.verify(public(t, p[0]), auth, p[1]) == nil
		}
	}
	return map[string]judge{
		"x25519":                       agreed(curve{ecdh.X25519(), 0}),
		"ecdh_secp256r1_ecpoint":       agreed(curve{ecdh.P256(), 1}),
		"ecdh_secp384r1_ecpoint":       agreed(curve{ecdh.P384(), 1}),
		"ecdh_secp521r1_ecpoint":       agreed(curve{ecdh.P521(), 1}),
		"mlkem_768":                    decapsulated(mlkem.NewDecapsulationKey768),
		"mlkem_1024":                   decapsulated(mlkem.NewDecapsulationKey1024),
		"mlkem_768_encaps":             encapsulated(kem768{}),
		"mlkem_1024_encaps":            encapsulated(kem1024{}),
		"chacha20_poly1305":            sealedByChaCha,
		"hmac_sha256":                  provedBy(sha256.New, 16),
		"hmac_sha384":                  provedBy(sha512.New384, 24),
		"hmac_sha512":                  provedBy(sha512.New, 32),
		"aes_cbc_pkcs5":                encryptedByCBC,
		"ecdsa_secp256r1_sha256":       named("ECDSA with SHA2-256"),
		"ecdsa_secp384r1_sha384":       named("ECDSA with SHA2-384"),
		"ecdsa_secp521r1_sha512":       named("ECDSA with SHA2-512"),
		"ecdsa_secp256r1_sha256_p1363": raw(msg.AuthECDSA256),
		"ecdsa_secp384r1_sha384_p1363": raw(msg.AuthECDSA384),
		"ecdsa_secp521r1_sha512_p1363": raw(msg.AuthECDSA521),
		"ed25519":                      named("Ed25519"),
		"rsa_pss_2048_sha256_mgf1_32":  named("RSA-PSS with SHA2-256"),
		"rsa_pss_2048_sha384_mgf1_48":  named("RSA-PSS with SHA2-384"),
		"rsa_signature_2048_sha256":    named("RSA with SHA2-256"),
	}
}

// What is valid is taken and what is not is refused, by the same calls that IKE makes. What may be either is the same secret if it is taken.
func TestWycheproof(t *testing.T) {
	all, count := judges(), map[string]int{}
	for _, a := range attacks(t) {
		count[a.file]++
		j := all[a.file]
		if j == nil {
			t.Fatalf("nobody judges %s", a.file)
		}
		if taken := j(t, a.parts); a.result != "acceptable" && taken != (a.result == "valid" && !a.small(t)) {
			t.Errorf("%s %s is %s; taken: %v", a.file, a.number, a.result, taken)
		}
	}
	for file := range all {
		if count[file] < 10 {
			t.Errorf("%s: %d cases", file, count[file])
		}
	}
}

// small reports whether the exponent of a key of RSA is one that we never believe, however good the signature is.
func (a attack) small(t *testing.T) bool {
	if !strings.HasPrefix(a.file, "rsa_") {
		return false
	}
	k, ok := public(t, a.parts[0]).(*rsa.PublicKey)
	return ok && k.E < leastExponent
}

// attacks reads the cases.
func attacks(t *testing.T) (all []attack) {
	t.Helper()
	for _, f := range vectors(t, "wycheproof") {
		a := attack{file: f[0], number: f[1], result: f[2]}
		for _, part := range f[3:] {
			a.parts = append(a.parts, unhex(t, strings.TrimPrefix(part, "-")))
		}
		all = append(all, a)
	}
	return all
}

// vectors reads a file of others' cases: the fields of each.
func vectors(t *testing.T, name string) (all [][]string) {
	t.Helper()
	packed, err := os.Open("testdata/" + name + ".txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	text, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<16)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		all = append(all, strings.Fields(lines.Text()))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func public(t *testing.T, der []byte) crypto.PublicKey {
	t.Helper()
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// identifier is what a signature of a kind is written with.
func identifier(t *testing.T, name string) []byte {
	t.Helper()
	for _, s := range schemes {
		if s.name == name {
			return s.ids[0]
		}
	}
	t.Fatalf("there is no %s", name)
	return nil
}

// agreed judges key exchanges by a curve: private key, the other's point as IKE writes it, secret.
func agreed(c curve) judge {
	return func(t *testing.T, p [][]byte) bool {
		key, err := c.ecdh.NewPrivateKey(p[0])
		if err != nil {
			t.Fatal(err)
		}
		shared, err := curveOffer{c, key}.Finish(p[1])
		if err == nil && !bytes.Equal(shared, p[2]) {
			t.Errorf("%s of %x: %x, want %x", c.ecdh, p[1], shared, p[2])
		}
		return err == nil
	}
}

// decapsulated judges answers: seed of the key, answer, secret.
func decapsulated[K interface{ Decapsulate([]byte) ([]byte, error) }](parse func(seed []byte) (K, error)) judge {
	return func(_ *testing.T, p [][]byte) bool {
		key, err := parse(p[0])
		if err != nil {
			return false
		}
		shared, err := kemOffer{decapsulate: key.Decapsulate}.Finish(p[1])
		return err == nil && bytes.Equal(shared, p[2])
	}
}

// encapsulated judges offers.
func encapsulated(m Method) judge {
	return func(_ *testing.T, p [][]byte) bool {
		_, _, err := m.Answer(p[0])
		return err == nil
	}
}

// sealedByChaCha judges what was sealed: key, nonce, associated data, plaintext, sealed.
func sealedByChaCha(t *testing.T, p [][]byte) bool {
	made, err := newChaCha(append(bytes.Clone(p[0]), p[1][:saltSize]...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed := append(bytes.Clone(p[1][saltSize:]), p[4]...)
	plain, err := made.open(p[2], bytes.Clone(sealed))
	if err != nil {
		return false
	}
	made.(*aead).next = binary.BigEndian.Uint64(p[1][saltSize:])
	again, err := made.seal(slices.Concat(p[2], make([]byte, ivSize), p[3]), len(p[2]))
	return err == nil && bytes.Equal(plain, p[3]) && bytes.Equal(again, append(bytes.Clone(p[2]), sealed...))
}

// provedBy judges what proves integrity: key, message, proof.
func provedBy(f func() hash.Hash, icv int) judge {
	return func(_ *testing.T, p [][]byte) bool {
		return bytes.Equal((&cbc{mac: hmac.New(f, p[0]), icv: icv}).prove(p[1]), p[2])
	}
}

// encryptedByCBC judges ciphertexts: key, IV, plaintext, ciphertext. Their padding, which is not that of IKE, is of the plaintext here.
func encryptedByCBC(t *testing.T, p [][]byte) bool {
	m := mac{sha256.New, sha256.Size, sha256.Size / 2}
	made, err := m.newCBC(p[0], make([]byte, m.key), bytes.NewReader(p[1]))
	if err != nil {
		t.Fatal(err)
	}
	n := aes.BlockSize - len(p[2])%aes.BlockSize
	plain := append(bytes.Clone(p[2]), bytes.Repeat([]byte{byte(n)}, n)...)
	sealed, err := made.seal(append(make([]byte, aes.BlockSize), plain...), 0)
	if err != nil || !bytes.Equal(sealed[:len(sealed)-m.icv], append(bytes.Clone(p[1]), p[3]...)) {
		return false
	}
	opened, err := made.open(nil, sealed)
	return err == nil && bytes.Equal(opened, plain)
}
