package main

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// proof is what proves us, and what the peer's proof is held against: a shared secret, or certificates.
type proof struct {
	secret      string
	cert        []byte
	key         crypto.Signer
	authorities *x509.CertPool
	hashes      []msg.AuthorityHash
}

// read takes PEM files.
func (p *proof) read(cert, key, ca string) error {
	if cert == "" {
		return nil
	}
	blocks, err := decode(cert, key, ca)
	if err != nil {
		return err
	}
	p.cert = blocks[0]
	private, err := x509.ParsePKCS8PrivateKey(blocks[1])
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	var ok bool
	if p.key, ok = private.(crypto.Signer); !ok {
		return errors.New("read the key: it cannot sign")
	}
	authority, err := x509.ParseCertificate(blocks[2])
	if err != nil {
		return fmt.Errorf("read the authority: %w", err)
	}
	p.authorities = x509.NewCertPool()
	p.authorities.AddCert(authority)
	p.hashes = []msg.AuthorityHash{sha1.Sum(authority.RawSubjectPublicKeyInfo)}
	return nil
}

func decode(files ...string) (blocks [][]byte, err error) {
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		b, _ := pem.Decode(text)
		if b == nil {
			return nil, fmt.Errorf("%s has no PEM in it", f)
		}
		blocks = append(blocks, b.Bytes)
	}
	return blocks, nil
}

// credential is ours.
func (p *proof) credential() (c crypt.Credential, certs []msg.Cert) {
	if p.key == nil {
		return crypt.Credential{Shared: []byte(p.secret)}, nil
	}
	return crypt.Credential{Key: p.key}, []msg.Cert{{Encoding: msg.CertX509, Data: p.cert}}
}

// evidence is what a peer's proof is held against, for the identity that it claims.
func (p *proof) evidence(remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	if p.key == nil {
		return crypt.Evidence{Shared: []byte(p.secret)}, nil
	}
	if len(certs) == 0 || certs[0].Encoding != msg.CertX509 || remote.Kind != msg.IDFQDN {
		return crypt.Evidence{}, errors.New("no certificate of a name")
	}
	leaf, err := x509.ParseCertificate(certs[0].Data)
	if err != nil {
		return crypt.Evidence{}, err
	}
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: string(remote.Data), Roots: p.authorities, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return crypt.Evidence{Public: leaf.PublicKey}, err
}
