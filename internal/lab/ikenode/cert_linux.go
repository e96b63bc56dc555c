package main

import (
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/ike/pki"
)

// proof is what proves us, and what the peer's proof is held against: a shared secret, or certificates.
type proof struct {
	secret string
	certs  [][]byte // ours, then those that lead to it
	key    crypto.Signer
	store  pki.Store
	hashes []msg.AuthorityHash
}

// read takes PEM files.
func (p *proof) read(cert, key, ca, crl string) error {
	if cert == "" {
		return nil
	}
	if crl != "" {
		lists, err := decode(crl)
		if err != nil {
			return err
		}
		list, err := x509.ParseRevocationList(lists[0])
		if err != nil {
			return fmt.Errorf("read the revocation list: %w", err)
		}
		p.store.CRLs, p.store.Strict = []*x509.RevocationList{list}, true
	}
	var err error
	if p.certs, err = decode(cert); err != nil {
		return err
	}
	blocks, err := decode(key, ca)
	if err != nil {
		return err
	}
	private, err := x509.ParsePKCS8PrivateKey(blocks[0])
	if err != nil {
		return fmt.Errorf("read the key: %w", err)
	}
	var ok bool
	if p.key, ok = private.(crypto.Signer); !ok {
		return errors.New("read the key: it cannot sign")
	}
	authority, err := x509.ParseCertificate(blocks[1])
	if err != nil {
		return fmt.Errorf("read the authority: %w", err)
	}
	p.store.Roots = []*x509.Certificate{authority}
	p.hashes = []msg.AuthorityHash{sha1.Sum(authority.RawSubjectPublicKeyInfo)}
	return nil
}

func decode(files ...string) (blocks [][]byte, err error) {
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		b, rest := pem.Decode(text)
		if b == nil {
			return nil, fmt.Errorf("%s has no PEM in it", f)
		}
		for ; b != nil; b, rest = pem.Decode(rest) {
			blocks = append(blocks, b.Bytes)
		}
	}
	return blocks, nil
}

// credential is ours.
func (p *proof) credential() (c crypt.Credential, certs []msg.Cert) {
	if p.key == nil {
		return crypt.Credential{Shared: []byte(p.secret)}, nil
	}
	for _, der := range p.certs {
		certs = append(certs, msg.Cert{Encoding: msg.CertX509, Data: der})
	}
	return crypt.Credential{Key: p.key}, certs
}

// subject is what our certificate calls us.
func (p *proof) subject() (msg.Identity, error) {
	if len(p.certs) == 0 {
		return msg.Identity{}, errors.New("without a certificate we have no subject")
	}
	c, err := x509.ParseCertificate(p.certs[0])
	if err != nil {
		return msg.Identity{}, fmt.Errorf("read our certificate: %w", err)
	}
	return msg.Identity{Kind: msg.IDDN, Data: c.RawSubject}, nil
}

// evidence is what a peer's proof is held against, for the identity that it claims.
func (p *proof) evidence(remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	if p.key == nil {
		return crypt.Evidence{Shared: []byte(p.secret)}, nil
	}
	public, err := p.store.Key(remote, certs, time.Now())
	return crypt.Evidence{Public: public}, err
}
