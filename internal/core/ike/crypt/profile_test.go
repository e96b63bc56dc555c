package crypt

import (
	"slices"
	"testing"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

func mustProfile(t testing.TB, name string) Profile {
	t.Helper()
	p, err := NewProfile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// each calls f for every transform that a profile has.
func each(p Profile, f func(msg.Transform)) {
	for _, list := range [][]msg.Proposal{p.IKE, p.ESP} {
		for _, prop := range list {
			for _, tr := range prop.Transforms {
				f(tr)
			}
		}
	}
}

// What a profile offers can be computed, and goes over the wire.
func TestProfilesOfferOnlyWhatWeHave(t *testing.T) {
	for _, name := range Profiles() {
		p := mustProfile(t, name)
		each(p, func(tr msg.Transform) {
			var err error
			switch tr.Type {
			case msg.PRF:
				_, err = NewPRF(tr)
			case msg.KeyExchange, msg.AdditionalKE1:
				if tr.ID != msg.KENone {
					_, err = NewMethod(tr.ID)
				}
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		for _, list := range [][]msg.Proposal{p.IKE, p.ESP, p.First(), p.Plain()} {
			for _, prop := range list {
				integ := append(prop.Of(msg.Integrity), msg.Transform{})
				for _, e := range prop.Of(msg.Encryption) {
					if _, err := NewSuite(e, integ[0]); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
		}
		m := msg.Message{Header: head, Payloads: []msg.Payload{Propose(p.IKE, nil), Propose(p.ESP, []byte{1, 2, 3, 4})}}
		if _, err := m.Append(nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a profile for auditors may contain is written here once more, from the standards and not from the profile.
func TestAuditedProfilesContainNothingElse(t *testing.T) {
	allowed := map[string][]string{
		FIPS: {"AES_GCM_16-256", "AES_GCM_16-128", "AES_CBC-256", "AES_CBC-128", "HMAC_SHA2_256_128", "HMAC_SHA2_384_192", "HMAC_SHA2_512_256",
			"PRF_HMAC_SHA2_256", "PRF_HMAC_SHA2_384", "PRF_HMAC_SHA2_512", "ECP_256", "ECP_384", "ECP_521", "ML_KEM_768", "ML_KEM_1024", "NONE", "ESN", "NO_ESN"},
		CNSA1: {"AES_GCM_16-256", "PRF_HMAC_SHA2_512", "PRF_HMAC_SHA2_384", "ECP_384", "NONE", "ESN", "NO_ESN"},
	}
	for name, list := range allowed {
		p := mustProfile(t, name)
		each(p, func(tr msg.Transform) {
			if !slices.Contains(list, tr.String()) {
				t.Errorf("%s has %s", name, tr)
			}
		})
		if p.Signatures.Ed25519 || slices.Contains(p.Signatures.Hashes, Identity) {
			t.Errorf("%s has Ed25519", name)
		}
	}
	cnsa := mustProfile(t, CNSA1)
	if s := cnsa.Signatures; !slices.Equal(s.Hashes, []Hash{SHA384}) || !slices.Equal(s.Curves, []int{384}) || s.RSA < 3072 {
		t.Errorf("cnsa1 believes %+v", s)
	}
	for _, p := range cnsa.IKE {
		if len(p.Of(msg.KeyExchange)) != 1 {
			t.Error("cnsa1 goes without a key exchange")
		}
	}
	var suite []string // CNSA-GCM-256-ECDH-384, RFC 9206 §5.1
	for _, tr := range cnsa.IKE[0].Transforms {
		suite = append(suite, tr.String())
	}
	if !slices.Equal(suite, []string{"AES_GCM_16-256", "PRF_HMAC_SHA2_512", "ECP_384"}) {
		t.Errorf("cnsa1 offers first %v", suite)
	}
}

// RFC 9206 §6 and §11: only who has a certificate's key is believed.
func TestASecretIsNoProofByCNSA(t *testing.T) {
	p, cnsa := sha256PRF(t), mustProfile(t, CNSA1).Signatures
	secret := []byte("a secret of two peers")
	const why = "authentication by shared key is not allowed; use ECDSA P-384, RSA-PSS from 3072 bits"
	if _, err := (Credential{Shared: secret}).Prove(p, cnsa, nil, transcript()); err == nil || err.Error() != "prove our identity: "+why {
		t.Errorf("we prove ourselves by it: %v", err)
	}
	auth := msg.Auth{Method: msg.AuthSharedKey, Data: p.shared(secret, transcript())}
	if proof, err := (Evidence{Shared: secret}).Verify(p, cnsa, auth, transcript()); err == nil || err.Error() != why || proof.Valid() {
		t.Errorf("a peer does: %v", err)
	}
	for _, name := range []string{Modern, NativeClients, WindowsDefault, FIPS} {
		if _, err := (Evidence{Shared: secret}).Verify(p, mustProfile(t, name).Signatures, auth, transcript()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWeakAlgorithmsAreInNoProfileThatIsNotAskedFor(t *testing.T) {
	for _, name := range []string{"", Modern, NativeClients, FIPS, CNSA1} {
		each(mustProfile(t, name), func(tr msg.Transform) {
			switch tr.String() {
			case "MODP_1024", "MODP_1536", "HMAC_SHA1_96", "PRF_HMAC_SHA1", "3DES", "NULL":
				t.Errorf("%q has %s", name, tr)
			}
		})
	}
	if _, err := NewProfile("windows"); err == nil {
		t.Error("a profile that there is not")
	}
}

func TestChoosing(t *testing.T) {
	apple := msg.SA{{Number: 1, Protocol: msg.ProtocolIKE, Transforms: slices.Concat(cbcs(256), macs(msg.IntegSHA256), functions(msg.PRFSHA256), kes(msg.KEModp2048))}}
	windows := msg.SA{{Number: 3, Protocol: msg.ProtocolIKE, Transforms: slices.Concat(cbcs(256), macs(msg.IntegSHA384), functions(msg.PRFSHA384), kes(msg.KEModp1024))}}
	strange := msg.SA{{Number: 1, Protocol: msg.ProtocolIKE, Transforms: append(slices.Clone(mustProfile(t, Modern).IKE[0].Transforms), msg.Transform{Type: 99, ID: 1})}}
	for _, c := range []struct {
		name    string
		profile string
		offer   msg.SA
		guess   msg.TransformID
		want    []string // nil: refused
	}{
		{"ourselves", Modern, Propose(mustProfile(t, Modern).IKE, nil), msg.KECurve25519, []string{"AES_GCM_16-256", "PRF_HMAC_SHA2_384", "CURVE25519", "ML_KEM_768"}},
		{"their guess is good enough", Modern, Propose(mustProfile(t, Modern).IKE, nil), msg.KEP384, []string{"AES_GCM_16-256", "PRF_HMAC_SHA2_384", "ECP_384", "ML_KEM_768"}},
		{"without a quantum-safe exchange", Modern, Propose(mustProfile(t, Modern).Plain(), nil), msg.KECurve25519, []string{"AES_GCM_16-256", "PRF_HMAC_SHA2_384", "CURVE25519"}},
		{"fips meets modern", FIPS, Propose(mustProfile(t, Modern).IKE, nil), msg.KECurve25519, []string{"AES_GCM_16-256", "PRF_HMAC_SHA2_384", "ECP_256", "ML_KEM_768"}},
		{"cnsa1 meets modern", CNSA1, Propose(mustProfile(t, Modern).IKE, nil), msg.KECurve25519, []string{"AES_GCM_16-256", "PRF_HMAC_SHA2_512", "ECP_384", "NONE"}},
		{"cnsa1 meets what it does not know", CNSA1, Propose([]msg.Proposal{ike(aeads(256), functions(msg.PRFSHA256), kes(msg.KEP384))}, nil), msg.KEP384, nil},
		{"an iPhone", NativeClients, apple, msg.KEModp2048, []string{"AES_CBC-256", "PRF_HMAC_SHA2_256", "HMAC_SHA2_256_128", "MODP_2048"}},
		{"an iPhone is too old", Modern, apple, msg.KEModp2048, nil},
		{"Windows as it comes", WindowsDefault, windows, msg.KEModp1024, []string{"AES_CBC-256", "PRF_HMAC_SHA2_384", "HMAC_SHA2_384_192", "MODP_1024"}},
		{"Windows as it comes is refused", NativeClients, windows, msg.KEModp1024, nil},
		{"a type of transform that we do not know", Modern, strange, msg.KECurve25519, nil},
		{"the wrong protocol", Modern, Propose(mustProfile(t, Modern).ESP, []byte{1, 2, 3, 4}), msg.KECurve25519, nil},
		{"nothing", Modern, nil, 0, nil},
	} {
		got, ok := Choose(mustProfile(t, c.profile).IKE, c.offer, c.guess)
		var names []string
		for _, tr := range got.Transforms {
			names = append(names, tr.String())
		}
		if ok != (c.want != nil) || !slices.Equal(names, c.want) {
			t.Errorf("%s: %v, %v", c.name, names, ok)
		}
		if ok {
			if again, ok := Answered(c.offer, msg.SA{got.Proposal(msg.ProtocolIKE, nil)}); !ok || again.KeyExchange != got.KeyExchange {
				t.Errorf("%s: the initiator refuses the answer", c.name)
			}
		}
	}
}

func TestAnAnswerMustTakeWhatWasOffered(t *testing.T) {
	offer := Propose(mustProfile(t, Modern).IKE, nil)
	good, _ := Choose(mustProfile(t, Modern).IKE, offer, msg.KECurve25519)
	answer := func(change func(*msg.Proposal)) msg.SA {
		p := good.Proposal(msg.ProtocolIKE, nil)
		p.Transforms = slices.Clone(p.Transforms)
		change(&p)
		return msg.SA{p}
	}
	for name, sa := range map[string]msg.SA{
		"nothing":             nil,
		"two proposals":       append(answer(func(*msg.Proposal) {}), answer(func(p *msg.Proposal) { p.Number = 2 })...),
		"another number":      answer(func(p *msg.Proposal) { p.Number = 9 }),
		"another protocol":    answer(func(p *msg.Proposal) { p.Protocol = msg.ProtocolESP }),
		"a shorter key":       answer(func(p *msg.Proposal) { p.Transforms[0].KeyBits = 192 }),
		"another cipher":      answer(func(p *msg.Proposal) { p.Transforms[0].ID = msg.Encr3DES }),
		"no key exchange":     answer(func(p *msg.Proposal) { p.Transforms = slices.Delete(p.Transforms, 2, 3) }),
		"no cipher":           answer(func(p *msg.Proposal) { p.Transforms = p.Transforms[1:] }),
		"two ciphers":         answer(func(p *msg.Proposal) { p.Transforms = append(p.Transforms, p.Transforms[0]) }),
		"something unoffered": answer(func(p *msg.Proposal) { p.Transforms = append(p.Transforms, macs(msg.IntegSHA1)...) }),
		"a strange attribute": answer(func(p *msg.Proposal) { p.Transforms[0].Unknown = []msg.Attribute{{Type: 99, Value: 1}} }),
	} {
		if _, ok := Answered(offer, sa); ok {
			t.Errorf("%s is taken", name)
		}
	}
	if c, ok := Answered(offer, answer(func(p *msg.Proposal) { p.Transforms = p.Transforms[:3] })); !ok || len(c.Additional) != 0 {
		t.Error("to leave out the additional exchange is refused")
	}
}

func TestAMethodIsUsedOnce(t *testing.T) {
	twice := msg.SA{{Number: 1, Protocol: msg.ProtocolIKE, Transforms: slices.Concat(aeads(256), functions(msg.PRFSHA256), kes(msg.KECurve25519),
		also(msg.KEMLKEM768), all(msg.AdditionalKE1+1, msg.KEMLKEM768))}}
	ours := []msg.Proposal{{Protocol: msg.ProtocolIKE, Transforms: twice[0].Transforms}}
	if _, ok := Choose(ours, twice, msg.KECurve25519); ok {
		t.Error("ML-KEM-768 is taken twice")
	}
}
