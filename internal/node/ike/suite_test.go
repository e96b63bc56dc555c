package ike

import (
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Whatever IKE may agree on for ESP, by any profile, ESP has, and with keys of the same size.
func TestESPHasWhatEveryProfileOffers(t *testing.T) {
	for _, name := range crypt.Profiles() {
		p, err := crypt.NewProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, proposal := range p.ESP {
			integrities := []msg.Transform{{}}
			for _, tr := range proposal.Transforms {
				if tr.Type == msg.Integrity {
					integrities = append(integrities, tr)
				}
			}
			if len(integrities) > 1 {
				integrities = integrities[1:]
			}
			for _, encryption := range proposal.Transforms {
				if encryption.Type != msg.Encryption {
					continue
				}
				for _, integrity := range integrities {
					s, err := suiteOf(encryption, integrity)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					agreed, err := crypt.NewSuite(encryption, integrity)
					if err != nil {
						t.Fatal(err)
					}
					if e, a := agreed.KeySizes(); e+a != s.KeySize() {
						t.Errorf("%s: %v has keys of %d bytes, IKE makes %d", name, s, s.KeySize(), e+a)
					}
				}
			}
		}
	}
	if _, err := suiteOf(msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: 256}, msg.Transform{}); err == nil {
		t.Error("CBC without integrity is taken")
	}
}
