package crypt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Profile is everything about algorithms that a peer may ask of us, and all that we offer. What is not in it is refused.
type Profile struct {
	Name string
	IKE  []msg.Proposal // best first
	// ESP is for Child SAs. The first of an IKE SA has no key exchange of its own; for those after it, NONE says that the peer may go
	// without (§1.3).
	ESP        []msg.Proposal
	Signatures Signatures
}

// The profiles.
const (
	Modern         = "modern"          // what we speak among ourselves, and with other current implementations
	NativeClients  = "native-clients"  // and with the clients that Apple and Android ship
	WindowsDefault = "windows-default" // and with Windows before its administrator changes it: MODP_1024 and SHA-1, both broken
	FIPS           = "fips"            // only what the Go Cryptographic Module has
	CNSA1          = "cnsa1"           // RFC 9206, its suite with P-384
)

// Profiles are the names.
func Profiles() []string { return []string{Modern, NativeClients, WindowsDefault, FIPS, CNSA1} }

// NewProfile is the profile of a name.
func NewProfile(name string) (Profile, error) {
	switch name {
	case "", Modern:
		return modern(), nil
	case NativeClients:
		return nativeClients(), nil
	case WindowsDefault:
		return windowsDefault(), nil
	case FIPS:
		return fips(), nil
	case CNSA1:
		return cnsa1(), nil
	}
	return Profile{}, fmt.Errorf("there is no profile %q: want one of %s", name, strings.Join(Profiles(), ", "))
}

// First is p.ESP for the Child SA that IKE_AUTH makes, without key exchanges (§1.2).
func (p Profile) First() []msg.Proposal {
	return without(p.ESP, func(t msg.Transform) bool { return t.Type == msg.KeyExchange || additional(t.Type) })
}

// Plain is p.IKE without additional exchanges, for a peer that does not know IKE_INTERMEDIATE.
func (p Profile) Plain() []msg.Proposal {
	return without(p.IKE, func(t msg.Transform) bool { return additional(t.Type) })
}

// without leaves transforms out, and then proposals that occur twice.
func without(all []msg.Proposal, which func(msg.Transform) bool) (out []msg.Proposal) {
	for _, one := range all {
		one.Transforms = slices.DeleteFunc(slices.Clone(one.Transforms), which)
		if !slices.ContainsFunc(out, func(o msg.Proposal) bool { return slices.EqualFunc(o.Transforms, one.Transforms, msg.Transform.Equal) }) {
			out = append(out, one)
		}
	}
	return out
}

// modern offers everything twice: who does not know additional exchanges has to refuse a proposal that has one (RFC 9370 §2.2.1).
func modern() Profile {
	fns, groups := functions(msg.PRFSHA384, msg.PRFSHA256, msg.PRFSHA512), kes(msg.KECurve25519, msg.KEP256, msg.KEP384, msg.KEP521)
	child := append(slices.Clone(groups), msg.Transform{Type: msg.KeyExchange, ID: msg.KENone})
	return Profile{
		Name: Modern,
		IKE: []msg.Proposal{
			ike(aeads(256, 128, 0), fns, groups, also(msg.KEMLKEM768, msg.KEMLKEM1024, msg.KENone)),
			ike(aeads(256, 128, 0), fns, groups),
		},
		ESP: []msg.Proposal{
			esp(aeads(256, 128, 0), child, also(msg.KENone, msg.KEMLKEM768, msg.KEMLKEM1024)), // the keys are safe without, for SK_d is
			esp(aeads(256, 128, 0), child),
		},
		Signatures: Signatures{Hashes: []Hash{SHA256, SHA384, SHA512, Identity}, Curves: []int{256, 384, 521}, Ed25519: true, RSA: 2048,
			PKCS1: true, Secrets: true},
	}
}

// nativeClients adds what those offer who were made before AEADs, and groups modulo a prime.
func nativeClients() Profile {
	p := modern()
	p.Name = NativeClients
	old := kes(msg.KECurve25519, msg.KEP256, msg.KEP384, msg.KEP521, msg.KEModp2048, msg.KEModp3072, msg.KEModp4096)
	fns := functions(msg.PRFSHA384, msg.PRFSHA256, msg.PRFSHA512)
	p.IKE = append(p.IKE,
		ike(aeads(256, 128, 0), fns, old),
		ike(cbcs(256, 128), macs(msg.IntegSHA256, msg.IntegSHA384, msg.IntegSHA512), fns, old))
	child := append(slices.Clone(old), msg.Transform{Type: msg.KeyExchange, ID: msg.KENone})
	p.ESP = append(p.ESP, esp(aeads(256, 128, 0), child), esp(cbcs(256, 128), macs(msg.IntegSHA256), child))
	return p
}

func windowsDefault() Profile {
	p := nativeClients()
	p.Name = WindowsDefault
	weak := kes(msg.KEModp2048, msg.KEModp1024)
	p.IKE = append(p.IKE,
		ike(aeads(256, 128), functions(msg.PRFSHA384, msg.PRFSHA256), weak),
		ike(cbcs(256, 128), macs(msg.IntegSHA384, msg.IntegSHA256), functions(msg.PRFSHA384, msg.PRFSHA256), weak))
	p.ESP = append(p.ESP, esp(cbcs(256, 128), macs(msg.IntegSHA1), kes(msg.KENone)))
	return p
}

func fips() Profile {
	groups := kes(msg.KEP256, msg.KEP384, msg.KEP521)
	fns := functions(msg.PRFSHA384, msg.PRFSHA256, msg.PRFSHA512)
	child := append(slices.Clone(groups), msg.Transform{Type: msg.KeyExchange, ID: msg.KENone})
	return Profile{
		Name: FIPS,
		IKE: []msg.Proposal{
			ike(aeads(256, 128), fns, groups, also(msg.KEMLKEM768, msg.KEMLKEM1024, msg.KENone)),
			ike(aeads(256, 128), fns, groups),
			ike(cbcs(256, 128), macs(msg.IntegSHA384, msg.IntegSHA256, msg.IntegSHA512), fns, groups)},
		ESP: []msg.Proposal{
			esp(aeads(256, 128), child, also(msg.KENone, msg.KEMLKEM768, msg.KEMLKEM1024)),
			esp(aeads(256, 128), child), esp(cbcs(256, 128), macs(msg.IntegSHA256), child)},
		Signatures: Signatures{Hashes: []Hash{SHA256, SHA384, SHA512}, Curves: []int{256, 384, 521}, RSA: 2048, PKCS1: true, Secrets: true},
	}
}

// cnsa1 is the Commercial National Security Algorithm suite 1.0: first CNSA-GCM-256-ECDH-384 as RFC 9206 §5.1 has it, then the same with SHA-384, which §8
// allows. There are no additional exchanges, which it does not know, and no secrets in place of signatures (§6, §11). Its suites with MODP are
// left out: exponents would show in the time that our arithmetic takes.
func cnsa1() Profile {
	return Profile{
		Name: CNSA1,
		IKE: []msg.Proposal{
			ike(aeads(256), functions(msg.PRFSHA512), kes(msg.KEP384)),
			ike(aeads(256), functions(msg.PRFSHA384), kes(msg.KEP384))},
		ESP:        []msg.Proposal{esp(aeads(256), kes(msg.KEP384, msg.KENone))},
		Signatures: Signatures{Hashes: []Hash{SHA384}, Curves: []int{384}, RSA: 3072, PKCS1: true},
	}
}

func ike(parts ...[]msg.Transform) msg.Proposal {
	return msg.Proposal{Protocol: msg.ProtocolIKE, Transforms: slices.Concat(parts...)}
}

// esp also takes sequence numbers of either length, the long ones first.
func esp(parts ...[]msg.Transform) msg.Proposal {
	parts = append(parts, all(msg.SequenceNumbers, msg.Sequence64, msg.Sequence32))
	return msg.Proposal{Protocol: msg.ProtocolESP, Transforms: slices.Concat(parts...)}
}

// aeads are AES-GCM with keys of so many bits, and with 0 ChaCha20-Poly1305.
func aeads(bits ...uint16) (out []msg.Transform) {
	for _, n := range bits {
		id := msg.EncrAESGCM16
		if n == 0 {
			id = msg.EncrChaCha20
		}
		out = append(out, msg.Transform{Type: msg.Encryption, ID: id, KeyBits: n})
	}
	return out
}

func cbcs(bits ...uint16) (out []msg.Transform) {
	for _, n := range bits {
		out = append(out, msg.Transform{Type: msg.Encryption, ID: msg.EncrAESCBC, KeyBits: n})
	}
	return out
}

func macs(ids ...msg.TransformID) []msg.Transform      { return all(msg.Integrity, ids...) }
func functions(ids ...msg.TransformID) []msg.Transform { return all(msg.PRF, ids...) }
func kes(ids ...msg.TransformID) []msg.Transform       { return all(msg.KeyExchange, ids...) }
func also(ids ...msg.TransformID) []msg.Transform      { return all(msg.AdditionalKE1, ids...) }

func all(t msg.TransformType, ids ...msg.TransformID) (out []msg.Transform) {
	for _, id := range ids {
		out = append(out, msg.Transform{Type: t, ID: id})
	}
	return out
}
