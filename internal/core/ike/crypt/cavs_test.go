package crypt

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// What NIST's validation system wants of IKEv2's key derivation (SP 800-135): SKEYSEED and the keys of an IKE SA, of Child SAs with and without a key
// exchange of their own, and SKEYSEED of the SA that follows.
func TestKeysAreThoseOfNIST(t *testing.T) {
	functions := map[string]msg.TransformID{"sha256": msg.PRFSHA256, "sha384": msg.PRFSHA384, "sha512": msg.PRFSHA512}
	suite := newSuite(t, msg.Transform{Type: msg.Encryption, ID: msg.EncrAESGCM16, KeyBits: 256}, msg.Transform{})
	count := map[string]int{}
	for _, f := range vectors(t, "cavs") {
		count[f[0]]++
		p := prf(t, functions[f[0]])
		var parts [11][]byte
		for i := range parts {
			parts[i] = unhex(t, f[2+i])
		}
		n, shared, fresh := Nonces{parts[0], parts[1]}, parts[2], parts[3]
		spiI, spiR := msg.SPI(binary.BigEndian.Uint64(parts[4])), msg.SPI(binary.BigEndian.Uint64(parts[5]))
		seed, keys, child, childDH, next := parts[6], parts[7], parts[8], parts[9], parts[10]

		got := p.FirstSeed(n, shared)
		if !bytes.Equal(got, seed) {
			t.Errorf("%s: SKEYSEED %x, want %x", f[:2], got, seed)
		}
		ks, err := p.IKEKeys(seed, n, spiI, spiR, suite)
		all := bytes.Join([][]byte{ks.Derive, ks.AuthI, ks.AuthR, ks.EncrI, ks.EncrR, ks.PeerI, ks.PeerR}, nil)
		if k := min(len(all), len(keys)); err != nil || k < 2*p.Size() || !bytes.Equal(all[:k], keys[:k]) {
			t.Errorf("%s: keys %x, want %x, %v", f[:2], all, keys, err)
		}
		for _, c := range []struct{ shared, want []byte }{{nil, child}, {fresh, childDH}} {
			if got, err := p.ChildKeys(ks.Derive, len(c.want), n, c.shared); err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("%s: keys of a Child SA %x, want %x, %v", f[:2], got, c.want, err)
			}
		}
		if got := p.NextSeed(ks.Derive, n, fresh); !bytes.Equal(got, next) {
			t.Errorf("%s: the next SKEYSEED %x, want %x", f[:2], got, next)
		}
	}
	for name := range functions {
		if count[name] != 16 {
			t.Errorf("%s: %d cases", name, count[name])
		}
	}
}
