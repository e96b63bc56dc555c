package msg

// PayloadType is the number of a payload, §3.2.
type PayloadType uint8

const (
	NoPayload   PayloadType = 0
	TypeSA      PayloadType = 33
	TypeKE      PayloadType = 34
	TypeIDi     PayloadType = 35
	TypeIDr     PayloadType = 36
	TypeCert    PayloadType = 37
	TypeCertReq PayloadType = 38
	TypeAuth    PayloadType = 39
	TypeNonce   PayloadType = 40
	TypeNotify  PayloadType = 41
	TypeDelete  PayloadType = 42
	TypeVendor  PayloadType = 43
	TypeTSi     PayloadType = 44
	TypeTSr     PayloadType = 45
	TypeSK      PayloadType = 46
	TypeCP      PayloadType = 47
	TypeEAP     PayloadType = 48
	TypeSKF     PayloadType = 53
)

const criticalBit = 1 << 7

// Nonce is the sender's share of freshness, §3.9: MinNonce to MaxNonce bytes.
type Nonce []byte

// Vendor says who wrote the sender, §3.12. Nothing of ours depends on it.
type Vendor []byte

// Unknown is a payload of a type that we do not know and may skip.
type Unknown struct {
	Kind PayloadType
	Body []byte
}

func (Nonce) Type() PayloadType     { return TypeNonce }
func (Vendor) Type() PayloadType    { return TypeVendor }
func (u Unknown) Type() PayloadType { return u.Kind }

func (n Nonce) body(b []byte) ([]byte, error)  { return append(b, n...), nil }
func (v Vendor) body(b []byte) ([]byte, error) { return append(b, v...), nil }
func (u Unknown) body(b []byte) ([]byte, error) {
	if u.Kind == NoPayload {
		return b, &EncodeError{"payload", "has type 0, which ends a message"}
	}
	return append(b, u.Body...), nil
}

// parseBody reads the body of a payload of a type that we know, other than SK and SKF.
func parseBody(t PayloadType, s span) (p Payload, known bool, err *Error) {
	switch t {
	case TypeSA:
		p, err = parseSA(s)
	case TypeKE:
		p, err = parseKE(s)
	case TypeIDi:
		id, e := parseIdentity(s)
		p, err = IDi(id), e
	case TypeIDr:
		id, e := parseIdentity(s)
		p, err = IDr(id), e
	case TypeCert:
		p, err = parseCert(s)
	case TypeCertReq:
		p, err = parseCertReq(s)
	case TypeAuth:
		p, err = parseAuth(s)
	case TypeNonce:
		p, err = parseNonce(s)
	case TypeNotify:
		p, err = parseNotify(s)
	case TypeDelete:
		p, err = parseDelete(s)
	case TypeVendor:
		p = Vendor(s.b)
	case TypeTSi:
		ts, e := parseSelectors(s)
		p, err = TSi(ts), e
	case TypeTSr:
		ts, e := parseSelectors(s)
		p, err = TSr(ts), e
	case TypeCP:
		p, err = parseCP(s)
	case TypeEAP:
		p, err = parseEAP(s)
	default:
		return nil, false, nil
	}
	return p, true, err
}

func parseNonce(s span) (Nonce, *Error) {
	if n := len(s.b); n < MinNonce || n > MaxNonce {
		return nil, s.fail(0, "nonce", "%d bytes, not %d to %d", n, MinNonce, MaxNonce)
	}
	return Nonce(s.b), nil
}
