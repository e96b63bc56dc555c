package msg

import "fmt"

// TransformType is what a transform is for, §3.3.2.
type TransformType uint8

const (
	Encryption      TransformType = 1
	PRF             TransformType = 2
	Integrity       TransformType = 3
	KeyExchange     TransformType = 4
	SequenceNumbers TransformType = 5
	AdditionalKE1   TransformType = 6  // RFC 9370; up to
	AdditionalKE7   TransformType = 12 // the seventh
)

// TransformID is an algorithm among those of one type.
type TransformID uint16

// Encryption transforms. AEADs need no Integrity.
const (
	Encr3DES       TransformID = 3
	EncrNull       TransformID = 11
	EncrAESCBC     TransformID = 12
	EncrAESCTR     TransformID = 13
	EncrAESCCM8    TransformID = 14
	EncrAESCCM12   TransformID = 15
	EncrAESCCM16   TransformID = 16
	EncrAESGCM8    TransformID = 18
	EncrAESGCM12   TransformID = 19
	EncrAESGCM16   TransformID = 20 // RFC 4106, RFC 5282
	EncrChaCha20   TransformID = 28 // with Poly1305, RFC 7634
	EncrAESGCM16IV TransformID = 30 // implicit IV, RFC 8750
	EncrChaChaIV   TransformID = 31 // implicit IV, RFC 8750
)

// Pseudorandom functions.
const (
	PRFSHA1   TransformID = 2
	PRFAES128 TransformID = 4 // XCBC
	PRFSHA256 TransformID = 5
	PRFSHA384 TransformID = 6
	PRFSHA512 TransformID = 7
	PRFCMAC   TransformID = 8
)

// Integrity transforms.
const (
	IntegNone   TransformID = 0
	IntegSHA1   TransformID = 2  // 96 bits
	IntegXCBC   TransformID = 5  // 96 bits
	IntegCMAC   TransformID = 8  // 96 bits
	IntegSHA256 TransformID = 12 // 128 bits, and the two below half of their hash too (RFC 4868)
	IntegSHA384 TransformID = 13
	IntegSHA512 TransformID = 14
)

// Key exchange methods, for KeyExchange, AdditionalKE1 to AdditionalKE7 and KE payloads.
const (
	KENone       TransformID = 0 // for a Child SA without one, or to decline an additional one
	KEModp1024   TransformID = 2
	KEModp1536   TransformID = 5
	KEModp2048   TransformID = 14
	KEModp3072   TransformID = 15
	KEModp4096   TransformID = 16
	KEModp6144   TransformID = 17
	KEModp8192   TransformID = 18
	KEP256       TransformID = 19
	KEP384       TransformID = 20
	KEP521       TransformID = 21
	KECurve25519 TransformID = 31
	KECurve448   TransformID = 32
	KEMLKEM512   TransformID = 35
	KEMLKEM768   TransformID = 36
	KEMLKEM1024  TransformID = 37
)

// SequenceNumbers transforms.
const (
	Sequence32 TransformID = 0
	Sequence64 TransformID = 1 // extended sequence numbers of ESP
)

// String is the usual name, with the length of its key: "AES_GCM_16-256".
func (t Transform) String() string {
	name := t.name()
	if name == "" {
		name = fmt.Sprintf("%s %d", t.Type, t.ID)
	}
	if t.KeyBits != 0 {
		name = fmt.Sprintf("%s-%d", name, t.KeyBits)
	}
	if len(t.Unknown) > 0 {
		name += "+unknown"
	}
	return name
}

func (t TransformType) String() string {
	switch t {
	case Encryption:
		return "ENCR"
	case PRF:
		return "PRF"
	case Integrity:
		return "INTEG"
	case KeyExchange:
		return "KE"
	case SequenceNumbers:
		return "SN"
	}
	if t >= AdditionalKE1 && t <= AdditionalKE7 {
		return fmt.Sprintf("ADDKE%d", t-AdditionalKE1+1)
	}
	return fmt.Sprintf("transform type %d", uint8(t))
}

func (t Transform) name() string {
	switch {
	case t.Type == Encryption:
		return t.ID.encryption()
	case t.Type == PRF:
		return t.ID.prf()
	case t.Type == Integrity:
		return t.ID.integrity()
	case t.Type == SequenceNumbers:
		return t.ID.sequence()
	case t.Type == KeyExchange, t.Type >= AdditionalKE1 && t.Type <= AdditionalKE7:
		return t.ID.keyExchange()
	}
	return ""
}

func (id TransformID) encryption() string {
	switch id {
	case Encr3DES:
		return "3DES"
	case EncrNull:
		return "NULL"
	case EncrAESCBC:
		return "AES_CBC"
	case EncrAESCTR:
		return "AES_CTR"
	case EncrAESCCM8:
		return "AES_CCM_8"
	case EncrAESCCM12:
		return "AES_CCM_12"
	case EncrAESCCM16:
		return "AES_CCM_16"
	case EncrAESGCM8:
		return "AES_GCM_8"
	case EncrAESGCM12:
		return "AES_GCM_12"
	case EncrAESGCM16:
		return "AES_GCM_16"
	case EncrChaCha20:
		return "CHACHA20_POLY1305"
	case EncrAESGCM16IV:
		return "AES_GCM_16_IIV"
	case EncrChaChaIV:
		return "CHACHA20_POLY1305_IIV"
	}
	return ""
}

func (id TransformID) prf() string {
	switch id {
	case PRFSHA1:
		return "PRF_HMAC_SHA1"
	case PRFAES128:
		return "PRF_AES128_XCBC"
	case PRFSHA256:
		return "PRF_HMAC_SHA2_256"
	case PRFSHA384:
		return "PRF_HMAC_SHA2_384"
	case PRFSHA512:
		return "PRF_HMAC_SHA2_512"
	case PRFCMAC:
		return "PRF_AES128_CMAC"
	}
	return ""
}

func (id TransformID) integrity() string {
	switch id {
	case IntegNone:
		return "NONE"
	case IntegSHA1:
		return "HMAC_SHA1_96"
	case IntegXCBC:
		return "AES_XCBC_96"
	case IntegCMAC:
		return "AES_CMAC_96"
	case IntegSHA256:
		return "HMAC_SHA2_256_128"
	case IntegSHA384:
		return "HMAC_SHA2_384_192"
	case IntegSHA512:
		return "HMAC_SHA2_512_256"
	}
	return ""
}

func (id TransformID) keyExchange() string {
	switch id {
	case KENone:
		return "NONE"
	case KEModp1024:
		return "MODP_1024"
	case KEModp1536:
		return "MODP_1536"
	case KEModp2048:
		return "MODP_2048"
	case KEModp3072:
		return "MODP_3072"
	case KEModp4096:
		return "MODP_4096"
	case KEModp6144:
		return "MODP_6144"
	case KEModp8192:
		return "MODP_8192"
	case KEP256:
		return "ECP_256"
	case KEP384:
		return "ECP_384"
	case KEP521:
		return "ECP_521"
	case KECurve25519:
		return "CURVE25519"
	case KECurve448:
		return "CURVE448"
	case KEMLKEM512:
		return "ML_KEM_512"
	case KEMLKEM768:
		return "ML_KEM_768"
	case KEMLKEM1024:
		return "ML_KEM_1024"
	}
	return ""
}

func (id TransformID) sequence() string {
	switch id {
	case Sequence32:
		return "NO_ESN"
	case Sequence64:
		return "ESN"
	}
	return ""
}
