package engine

import (
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/proto/control"
)

// trust has what the map says of authorities count: peers that have proved themselves with a certificate that counts no more are parted from, and
// this node's own is renewed if it is of an authority that signs no more.
func (e *Engine) trust() {
	a := e.table.Authorities()
	for _, n := range e.directory.believe(a) {
		if p := e.table.Peer(n); p != nil {
			e.part(p)
		}
	}
	if !e.outdated(a) {
		e.renewAt = time.Time{}
	} else if e.renewAt.IsZero() {
		random := e.cfg.Outside.Random
		if random == nil {
			random = mathrand.N[time.Duration]
		}
		e.renewAt = time.Now().Add(random(a.Spread + time.Millisecond))
	}
}

// part ends what there is by IPsec with a peer. It shows its certificate of then, and we ours, when packets want to go there again.
func (e *Engine) part(p *netmap.Peer) {
	if err := e.status.Load().EndSAs(p.Record.WG); err != nil && !errors.Is(err, ErrNoSAs) {
		e.log.Warn("associations with a peer whose certificate counts no more are not ended", logx.Peer, p.Record.Node.String(), logx.Err, err)
		return
	}
	e.log.Info("peer parted from: its certificate counts no more", logx.Peer, p.Record.Node.String())
}

// outdated reports whether the node's certificate is of another authority than the one that signs.
func (e *Engine) outdated(a control.Authorities) bool {
	c := e.Certificate()
	return a.Signing != (control.AuthorityID{}) && c != nil && len(c.Certificate) == 2 && control.AuthorityOf(c.Certificate[1]) != a.Signing
}

// renew asks for another certificate because of what was heard of authorities. If it does not come, it is asked for again an hour later.
func (e *Engine) renew() {
	e.renewAt = time.Time{}
	if e.outdated(e.table.Authorities()) {
		e.session.Renew()
		e.renewAt = time.Now().Add(idleCheck)
	}
}

// ofTrust reports whether an event concerns certificates.
func ofTrust(v netmap.Event) bool { return v.Kind == netmap.TrustChanged }

// believe takes note of what authorities are worth, and returns the nodes that have proved themselves with a certificate that counts no more.
func (d *directory) believe(a control.Authorities) (gone []ident.Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.worth = a
	for n, by := range d.proved {
		if a.IsEnded(by) {
			gone = append(gone, n)
			delete(d.proved, n)
		}
	}
	return gone
}

// prove notes by which authority a node has proved itself; false: that has ended.
func (d *directory) prove(n ident.Node, by control.AuthorityID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.worth.IsEnded(by) {
		return false
	}
	d.proved[n] = by
	return true
}

// crossOf is what another authority has given one of the tenant's.
func (d *directory) crossOf(id control.AuthorityID) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.worth.CrossOf(id)
}
