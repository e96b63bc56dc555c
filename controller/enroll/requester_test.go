package enroll

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/cvlan/cvlan/internal/base/key"
)

// A public key is no secret: a request counts only if the private one has signed it, or a stranger could join with a node's identity.
func TestARequestProvesThatItsKeyIsThere(t *testing.T) {
	id, err := key.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, id.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if who, err := requester(csr); err != nil || who != id.Public() {
		t.Fatal(who, err)
	}
	forged := bytes.Clone(csr)
	forged[len(forged)-1] ^= 1 // in the signature
	if _, err := x509.ParseCertificateRequest(forged); err != nil {
		t.Fatal("it cannot even be read:", err)
	}
	if _, err := requester(forged); !errors.Is(err, errInvalid) {
		t.Error("a request that its key has not signed passes:", err)
	}
}
