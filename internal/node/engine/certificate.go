package engine

import (
	"crypto/tls"

	"github.com/cvlan/cvlan/proto/control"
)

// Certificate returns the node's certificate of now, with its tenant's authority's. It may be called from any goroutine.
func (e *Engine) Certificate() *tls.Certificate { return e.session.Credentials().Certificate }

// RenewCertificate has the node ask for a new certificate now. It may be called from any goroutine.
func (e *Engine) RenewCertificate() { e.session.Renew() }

// CrossChain returns what another authority, such as a company's, has given the one that has signed the node's certificate, up to that authority's root; nil:
// there is nothing. The controller says so; among nodes it counts for nothing. It may be called from any goroutine.
func (e *Engine) CrossChain() [][]byte {
	c := e.Certificate()
	if c == nil || len(c.Certificate) != 2 {
		return nil
	}
	return e.directory.crossOf(control.AuthorityOf(c.Certificate[1]))
}
