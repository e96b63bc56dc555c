package crypt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/hex"
)

// scheme is an algorithm of RFC 7427 with its hash.
type scheme struct {
	name string
	hash Hash
	// ids are the AlgorithmIdentifiers that mean it, DER. We write the first. Nothing is decoded: what is none of these is unknown.
	ids  [][]byte
	kind family
	old  bool // PKCS #1 v1.5
}

type family uint8

const (
	familyECDSA family = iota
	familyEd25519
	familyRSA
)

// schemes has the AlgorithmIdentifiers of RFC 7427, appendix A, and of RFC 8420.
var schemes = []scheme{
	{"ECDSA with SHA2-256", SHA256, der("300a06082a8648ce3d040302"), familyECDSA, false},
	{"ECDSA with SHA2-384", SHA384, der("300a06082a8648ce3d040303"), familyECDSA, false},
	{"ECDSA with SHA2-512", SHA512, der("300a06082a8648ce3d040304"), familyECDSA, false},
	{"Ed25519", Identity, der("300506032b6570"), familyEd25519, false},
	{"RSA-PSS with SHA2-256", SHA256, pss("01", "20"), familyRSA, false},
	{"RSA-PSS with SHA2-384", SHA384, pss("02", "30"), familyRSA, false},
	{"RSA-PSS with SHA2-512", SHA512, pss("03", "40"), familyRSA, false},
	{"RSA with SHA2-256", SHA256, der("300d06092a864886f70d01010b0500", "300b06092a864886f70d01010b"), familyRSA, true},
	{"RSA with SHA2-384", SHA384, der("300d06092a864886f70d01010c0500", "300b06092a864886f70d01010c"), familyRSA, true},
	{"RSA with SHA2-512", SHA512, der("300d06092a864886f70d01010d0500", "300b06092a864886f70d01010d"), familyRSA, true},
}

func der(digits ...string) (all [][]byte) {
	for _, d := range digits {
		b, err := hex.DecodeString(d)
		if err != nil {
			panic("crypt: an AlgorithmIdentifier is no hexadecimal number: " + d)
		}
		all = append(all, b)
	}
	return all
}

// pss are the identifiers of RSASSA-PSS with one hash for everything and salt of its size. hash is the last byte of the hash's
// object identifier. Its parameters are NULL or absent, for which RFC 4055 wants both to be taken.
func pss(hash, salt string) [][]byte {
	const (
		oid  = "06092a864886f70d01010a"
		mgf1 = "06092a864886f70d010108"
	)
	sha := "06096086480165030402" + hash
	with, without := "300d"+sha+"0500", "300b"+sha
	return der(
		"3041"+oid+"3034"+"a00f"+with+"a11c"+"301a"+mgf1+with+"a2030201"+salt,
		"303d"+oid+"3030"+"a00d"+without+"a11a"+"3018"+mgf1+without+"a2030201"+salt,
		"303f"+oid+"3032"+"a00f"+with+"a11a"+"3018"+mgf1+without+"a2030201"+salt,
		"303f"+oid+"3032"+"a00d"+without+"a11c"+"301a"+mgf1+with+"a2030201"+salt,
	)
}

func (s scheme) fits(public crypto.PublicKey) bool {
	switch public.(type) {
	case *ecdsa.PublicKey:
		return s.kind == familyECDSA
	case ed25519.PublicKey:
		return s.kind == familyEd25519
	case *rsa.PublicKey:
		return s.kind == familyRSA
	}
	return false
}

func (s scheme) options() crypto.SignerOpts {
	if s.kind == familyRSA {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash.function()}
	}
	return s.hash.function()
}

func (s scheme) verify(public crypto.PublicKey, digest, sig []byte) bool {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, digest, sig)
	case *rsa.PublicKey:
		if s.old {
			return rsa.VerifyPKCS1v15(k, s.hash.function(), digest, sig) == nil
		}
		return rsa.VerifyPSS(k, s.hash.function(), digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	return false
}
