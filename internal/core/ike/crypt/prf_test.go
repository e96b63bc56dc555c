package crypt

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill is n bytes that count upwards from first.
func fill(n int, first byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func prf(t testing.TB, id msg.TransformID) PRF {
	t.Helper()
	p, err := NewPRF(msg.Transform{Type: msg.PRF, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var prfs = []msg.TransformID{msg.PRFSHA256, msg.PRFSHA384, msg.PRFSHA512}

// RFC 4231 §4.3.
func TestFunctionsOfRFC4231(t *testing.T) {
	for id, want := range map[msg.TransformID]string{
		msg.PRFSHA256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		msg.PRFSHA384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		msg.PRFSHA512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
	} {
		p := prf(t, id)
		if got := p.Sum([]byte("Jefe"), []byte("what do ya want "), nil, []byte("for nothing?")); hex.EncodeToString(got) != want || len(got) != p.Size() {
			t.Errorf("PRF %d: %x, want %s", id, got, want)
		}
	}
}

// plus is prf+ as §2.13 writes it, block by block.
func plus(p PRF, key, seed []byte, blocks int) []byte {
	var all, last []byte
	for i := 1; i <= blocks; i++ {
		h := hmac.New(p.hash, key)
		h.Write(append(append(bytes.Clone(last), seed...), byte(i)))
		last = h.Sum(nil)
		all = append(all, last...)
	}
	return all
}

func TestExpansionIsThatOfTheRFC(t *testing.T) {
	key, seed := fill(20, 7), fill(33, 99)
	for _, id := range prfs {
		p := prf(t, id)
		want := plus(p, key, seed, 255)
		for _, n := range []int{0, 1, p.Size() - 1, p.Size(), p.Size() + 1, 5*p.Size() + 3, 255 * p.Size()} {
			got, err := p.Expand(key, n, seed[:10], seed[10:])
			if err != nil || !bytes.Equal(got, want[:n]) {
				t.Errorf("PRF %d: %d bytes are %x, %v", id, n, got, err)
			}
		}
		for _, n := range []int{-1, 255*p.Size() + 1} {
			if _, err := p.Expand(key, n, seed); err == nil {
				t.Errorf("PRF %d expands to %d bytes", id, n)
			}
		}
	}
}

func TestUnknownFunctionsAreRefused(t *testing.T) {
	for _, tr := range []msg.Transform{
		{}, {Type: msg.PRF}, {Type: msg.PRF, ID: msg.PRFSHA1}, {Type: msg.Integrity, ID: msg.PRFSHA256}, {Type: msg.PRF, ID: msg.PRFSHA256, KeyBits: 256},
		{Type: msg.PRF, ID: msg.PRFSHA256, Unknown: []msg.Attribute{{Type: 1}}},
	} {
		if _, err := NewPRF(tr); err == nil {
			t.Errorf("%s is taken", tr)
		}
	}
}

func TestKeysComeInTheOrderOfTheRFC(t *testing.T) {
	p, n, shared := prf(t, msg.PRFSHA256), Nonces{fill(32, 1), fill(16, 200)}, fill(32, 50)
	suite := newSuite(t, msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: 128}, msg.Transform{Type: msg.Integrity, ID: msg.IntegSHA512})
	nonces := append(fill(32, 1), fill(16, 200)...)

	seed := p.FirstSeed(n, shared)
	if want := p.Sum(nonces, shared); !bytes.Equal(seed, want) {
		t.Errorf("SKEYSEED %x, want %x", seed, want)
	}
	keys, err := p.IKEKeys(seed, n, 0x0102030405060708, 0x1112131415161718, suite)
	if err != nil {
		t.Fatal(err)
	}
	spis := append(fill(8, 1), fill(8, 0x11)...)
	got := bytes.Join([][]byte{keys.Derive, keys.AuthI, keys.AuthR, keys.EncrI, keys.EncrR, keys.PeerI, keys.PeerR}, nil)
	if want := plus(p, seed, append(bytes.Clone(nonces), spis...), 8); !bytes.Equal(got, want[:3*32+2*64+2*16]) {
		t.Errorf("keys %x, want %x", got, want)
	}
	if len(keys.Derive) != 32 || len(keys.AuthR) != 64 || len(keys.EncrI) != 16 || len(keys.PeerR) != 32 {
		t.Errorf("%+v", keys)
	}

	kem := fill(32, 77)
	if got, want := p.NextSeed(keys.Derive, n, shared, kem), p.Sum(keys.Derive, append(append(bytes.Clone(shared), nonces...), kem...)); !bytes.Equal(got, want) {
		t.Errorf("next SKEYSEED %x, want %x", got, want)
	}
	for _, with := range [][]byte{nil, shared} {
		child, err := p.ChildKeys(keys.Derive, 72, n, with, kem)
		if want := plus(p, keys.Derive, append(append(bytes.Clone(with), nonces...), kem...), 3); err != nil || !bytes.Equal(child, want[:72]) {
			t.Errorf("child %x, want %x, %v", child, want, err)
		}
	}
}
