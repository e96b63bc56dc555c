package msg

import "iter"

// Cert is a certificate or something that helps to verify one, §3.6. The first of a message is the sender's own.
type Cert struct {
	Encoding CertEncoding
	Data     []byte
}

// CertReq is a wish for certificates, §3.7: a hint, which may be answered with others.
type CertReq struct {
	Encoding    CertEncoding
	Authorities []byte
}

// CertEncoding is what the data of a Cert is.
type CertEncoding uint8

const (
	CertPKCS7     CertEncoding = 1
	CertX509      CertEncoding = 4 // one certificate, DER, for signatures
	CertCRL       CertEncoding = 7
	CertHashURL   CertEncoding = 12 // where to fetch a certificate; we do not (§3.6)
	CertBundleURL CertEncoding = 13
	CertOCSP      CertEncoding = 14 // RFC 4806
	CertRawKey    CertEncoding = 15 // a SubjectPublicKeyInfo, RFC 7670
)

// AuthorityHash is the SHA-1 hash of the SubjectPublicKeyInfo of a certificate authority.
type AuthorityHash [20]byte

func (Cert) Type() PayloadType    { return TypeCert }
func (CertReq) Type() PayloadType { return TypeCertReq }

// Hashes are the authorities that a CertReq with encoding CertX509 names. What is too short for a hash is none.
func (c CertReq) Hashes() iter.Seq[AuthorityHash] {
	const size = len(AuthorityHash{})
	return func(yield func(AuthorityHash) bool) {
		for b := c.Authorities; len(b) >= size; b = b[size:] {
			if !yield(AuthorityHash(b)) {
				return
			}
		}
	}
}

func parseCert(s span) (Cert, *Error) {
	if err := s.need(2, "certificate data"); err != nil {
		return Cert{}, err
	}
	return Cert{Encoding: CertEncoding(s.b[0]), Data: s.b[1:]}, nil
}

func parseCertReq(s span) (CertReq, *Error) {
	if err := s.need(1, "certificate encoding"); err != nil {
		return CertReq{}, err
	}
	head, rest := s.cut(1)
	return CertReq{Encoding: CertEncoding(head.b[0]), Authorities: rest.bytes()}, nil
}

func (c Cert) body(b []byte) ([]byte, error) {
	return append(append(b, byte(c.Encoding)), c.Data...), nil
}

func (c CertReq) body(b []byte) ([]byte, error) {
	return append(append(b, byte(c.Encoding)), c.Authorities...), nil
}
