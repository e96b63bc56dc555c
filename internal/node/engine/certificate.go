package engine

import "crypto/tls"

// Certificate returns the node's certificate of now, with its tenant's authority's. It may be called from any goroutine.
func (e *Engine) Certificate() *tls.Certificate { return e.session.Credentials().Certificate }

// RenewCertificate has the node ask for a new certificate now. It may be called from any goroutine.
func (e *Engine) RenewCertificate() { e.session.Renew() }
