package ca

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	"github.com/cvlan/cvlan/internal/base/trust"
)

// Server returns the controller's certificate for TLS, with the root behind it, for tls.Config.GetCertificate. Its key exists in
// memory only; a new one is made at start and at half the certificate's life. When that fails the old one serves on while it lasts.
func (c *CA) Server() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.server != nil && now.Before(c.renewAt) {
		return c.server, nil
	}
	fresh, err := c.makeServer()
	switch {
	case err == nil:
		c.server = fresh
		c.renewAt = now.Add(fresh.Leaf.NotAfter.Sub(now) / 2)
	case c.server == nil || now.After(c.server.Leaf.NotAfter):
		return nil, fmt.Errorf("controller's certificate: %w", err)
	}
	return c.server, nil
}

func (c *CA) makeServer() (*tls.Certificate, error) {
	k, err := newKey()
	if err != nil {
		return nil, err
	}
	tmpl := template(trust.ControllerName(c.Domain(), c.controller), c.now(), ServerLife, c.root.cert.NotAfter)
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	cert, err := sign(tmpl, c.root, &k.PublicKey)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{cert.Raw, c.root.cert.Raw}, PrivateKey: k, Leaf: cert}, nil
}
