package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
)

// maxRequest bounds a request in bytes; one with a P-256 key and no extras has about 200.
const maxRequest = 4 << 10

// maxDeviceRequest bounds one of a device, which may have a long RSA key.
const maxDeviceRequest = 16 << 10

// errRequest begins every refusal of a request.
var errRequest = errors.New("certificate request refused")

// parseRequest reads a PKCS #10 request (RFC 2986) in DER whose sender has proved that it holds the key. Only the key counts: who
// its holder is, the controller says, so subject, names and extensions are ignored.
func parseRequest(der []byte) (*ecdsa.PublicKey, error) {
	if len(der) > maxRequest {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", errRequest, len(der), maxRequest)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: not PKCS #10", errRequest)
	}
	k, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || k.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: its key is not ECDSA on P-256", errRequest)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: it is not signed by its own key", errRequest)
	}
	return k, nil
}
