package relay

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Exporter gives keying material of a TLS 1.3 connection (RFC 8446, section 7.5): ExportKeyingMaterial of crypto/tls.
type Exporter func(label string, context []byte, length int) ([]byte, error)

const (
	// bondLabel and proofContext name the version: what is proved in one is nothing in another.
	bondLabel    = "EXPERIMENTAL cvlan relay register v2"
	proofContext = "cvlan relay, client registers v2"
	bondSize     = 32
)

// ErrUnproven is why a Register frame does not show who sent it.
var ErrUnproven = errors.New("the certificate's holder is not proved")

// Introduce makes the Register frame with which the holder of a certificate registers on a connection, and on no other, with its length in front as it goes
// onto the stream. Of a chain only the certificate itself is shown.
func Introduce(c *tls.Certificate, export Exporter) ([]byte, error) {
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("the certificate's key does not sign")
	}
	f, err := introduce(rand.Reader, c.Certificate[0], key, export)
	if err != nil {
		return nil, err
	}
	return AppendStream(nil, f)
}

func introduce(random io.Reader, der []byte, key crypto.Signer, export Exporter) ([]byte, error) {
	b := Hello{Min: Version, Max: Version}.Append(make([]byte, 0, MaxRegister))
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(der))), der...)
	sum, err := proofSum(b, export)
	if err != nil {
		return nil, err
	}
	signature, err := key.Sign(random, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("prove the certificate's holder: %w", err)
	}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(signature))), signature...)
	if len(b) > MaxRegister {
		return nil, fmt.Errorf("a certificate of %d bytes is too large for a relay", len(der))
	}
	return b, nil
}

// Holder returns the certificate that a Register frame shows, if its sender holds the key and the frame was made for the connection that it has come on. Whether
// the certificate is worth anything is for the caller to find out. It aliases the frame.
func (h *Hello) Holder(export Exporter) (*x509.Certificate, error) {
	if len(h.certificate) == 0 {
		return nil, fmt.Errorf("%w: no certificate is shown", ErrUnproven)
	}
	c, err := x509.ParseCertificate(h.certificate)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: its key is not ECDSA on P-256", ErrUnproven)
	}
	sum, err := proofSum(h.signed, export)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(key, sum[:], h.signature) {
		return nil, fmt.Errorf("%w: the signature is not that of its key over this connection", ErrUnproven)
	}
	return c, nil
}

// proofSum is what is signed: see the package comment.
func proofSum(frame []byte, export Exporter) (sum [sha256.Size]byte, err error) {
	bond, err := export(bondLabel, nil, bondSize)
	if err != nil {
		return sum, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	h := sha256.New()
	h.Write(bytes.Repeat([]byte{' '}, 64))
	io.WriteString(h, proofContext)
	h.Write([]byte{0})
	h.Write(bond)
	h.Write(frame)
	h.Sum(sum[:0])
	return sum, nil
}
