package engine

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/control"
)

// directory is the map as IKE needs it. A node is to IKE what its certificate names, the URI of package trust as ID_DER_ASN1_GN, and proves it with
// that certificate: issued by an authority of its tenant's that has not ended, under the root that the join key has pinned, valid now, and for the
// very identity key that is in its record of the map. The engine writes it, the tunnel's owner reads it.
type directory struct {
	tenant      ident.Tenant
	root        *x509.Certificate // nil: it cannot be read, and nobody is believed
	credentials func() session.Credentials

	mu     sync.Mutex
	nodes  map[ident.Node]*netmap.Peer
	other  map[ident.Node]netmap.Choice // what is spoken with those with whom it is not WireGuard by default
	worth  control.Authorities
	proved map[ident.Node]control.AuthorityID // by which authority those have proved themselves who did
}

// usual is what is spoken with most, and takes no memory.
var usual = netmap.Choice{By: control.WireGuard}

// met is a node that the tunnel knows.
type met struct {
	*netmap.Peer
	netmap.Choice // of what is spoken with it
}

var _ ike.Directory = (*directory)(nil)

func newDirectory(m *session.Membership, credentials func() session.Credentials) *directory {
	root, _ := x509.ParseCertificate(m.Root) // without it every Evidence is refused
	return &directory{tenant: m.Tenant, root: root, credentials: credentials, nodes: map[ident.Node]*netmap.Peer{}, other: map[ident.Node]netmap.Choice{},
		proved: map[ident.Node]control.AuthorityID{}}
}

// put takes note of a node and of what is spoken with it.
func (d *directory) put(p *netmap.Peer, c netmap.Choice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.nodes[p.Record.Node] = p
	if c == usual {
		delete(d.other, p.Record.Node)
	} else {
		d.other[p.Record.Node] = c
	}
}

// remove forgets a node.
func (d *directory) remove(n ident.Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.nodes, n)
	delete(d.other, n)
	delete(d.proved, n)
}

// clear forgets all.
func (d *directory) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.nodes)
	clear(d.other)
	clear(d.proved)
}

// node is the one with an identifier.
func (d *directory) node(n ident.Node) (met, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.nodes[n]
	if !ok {
		return met{}, false
	}
	c, special := d.other[n]
	if !special {
		c = usual
	}
	return met{p, c}, true
}

// called is the name in the map of whom an identity means; "": nobody.
func (d *directory) called(i msg.Identity) string {
	n, err := nameOf(i)
	if err != nil {
		return ""
	}
	m, ok := d.node(n.Node)
	if !ok {
		return ""
	}
	return m.Record.Name
}

// of is the node that a tunnel's peer is.
func (d *directory) of(p *tunnel.Peer) (met, bool) {
	m, ok := d.node(p.Node())
	return m, ok && m.By != 0 && m.Record.WG == p.Key()
}

var errNoNode = errors.New("it is no node of the map")

// Meet implements ike.Directory. Selectors are everything: which inner addresses a peer may use is the tunnel's business, and may change.
func (d *directory) Meet(p *tunnel.Peer) (core.Peer, error) {
	a, ok := d.of(p)
	if !ok {
		return core.Peer{}, errNoNode
	}
	own, c, err := d.own()
	if err != nil {
		return core.Peer{}, err
	}
	signer, ok := c.PrivateKey.(crypto.Signer)
	if !ok {
		return core.Peer{}, errors.New("our identity key cannot sign")
	}
	how := core.Peer{
		Local: identity(own), Remote: identity(trust.NodeName(own.Domain, d.tenant, a.Record.Node)), Credential: crypt.Credential{Key: signer},
		Child: &core.Child{Ours: anything(), Theirs: anything()}, Unique: true, Follows: true,
	}
	for _, der := range c.Certificate {
		how.Certificates = append(how.Certificates, msg.Cert{Encoding: msg.CertX509, Data: der})
	}
	return how, nil
}

// own is what our certificate names, and the certificate.
func (d *directory) own() (trust.Name, *tls.Certificate, error) {
	c := d.credentials().Certificate
	if c == nil || len(c.Certificate) == 0 {
		return trust.Name{}, nil, errors.New("this node has no certificate yet")
	}
	leaf, err := c.Leaf, error(nil)
	if leaf == nil {
		leaf, err = x509.ParseCertificate(c.Certificate[0])
	}
	if err != nil {
		return trust.Name{}, nil, fmt.Errorf("read our own certificate: %w", err)
	}
	n, err := trust.NameOf(leaf)
	if err != nil {
		return trust.Name{}, nil, fmt.Errorf("read our own certificate: %w", err)
	}
	return n, c, nil
}

// Who implements ike.Directory.
func (d *directory) Who(remote, wanted msg.Identity) (key.WGPublic, bool) {
	n, err := nameOf(remote)
	if err != nil || n.Tenant != d.tenant {
		return key.WGPublic{}, false
	}
	m, ok := d.node(n.Node)
	if !ok || m.By == 0 {
		return key.WGPublic{}, false
	}
	return m.Record.WG, true
}

// Evidence implements ike.Directory.
func (d *directory) Evidence(p *tunnel.Peer, remote msg.Identity, certs []msg.Cert) (e crypt.Evidence, left time.Duration, err error) {
	now := d.credentials().Now()
	chain, err := d.judge(p, remote, certs, now)
	if err != nil {
		return crypt.Evidence{}, 0, err
	}
	ends := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
	}
	return crypt.Evidence{Public: chain[0].PublicKey}, max(1, ends.Sub(now.At)), nil // 0 would be for ever
}

// judge returns the chain of a peer, if that proves it to be who it says it is.
func (d *directory) judge(p *tunnel.Peer, remote msg.Identity, certs []msg.Cert, now trust.Instant) ([]*x509.Certificate, error) {
	a, ok := d.of(p)
	if !ok {
		return nil, errNoNode
	}
	claimed, err := nameOf(remote)
	if err != nil {
		return nil, err
	}
	if d.root == nil {
		return nil, errors.New("this membership has no root certificate; join again")
	}
	chain, err := parseChain(certs)
	if err != nil {
		return nil, err
	}
	proved, err := trust.VerifyNode(chain, d.root, now)
	if err != nil {
		return nil, err
	}
	held, err := key.PublicOf(chain[0].PublicKey)
	switch {
	case err != nil:
		return nil, err
	case proved != claimed:
		return nil, fmt.Errorf("it says that it is %s, its certificate is for %s", claimed, proved)
	case proved.Tenant != d.tenant || proved.Node != a.Record.Node:
		return nil, fmt.Errorf("the certificate is for %s, the peer is node %s", proved, a.Record.Node)
	case held != a.Record.Identity:
		return nil, fmt.Errorf("the certificate of node %s is for another key than its record", a.Record.Node)
	case !d.prove(a.Record.Node, control.AuthorityOf(chain[1].Raw)):
		return nil, fmt.Errorf("the certificate of node %s is of an authority that has ended; it gets another one when it reaches its controller", a.Record.Node)
	}
	return chain, nil
}

func parseChain(certs []msg.Cert) (chain []*x509.Certificate, err error) {
	for _, c := range certs {
		if c.Encoding != msg.CertX509 || len(chain) == 2 {
			return nil, errors.New("want the node's certificate and its authority's, and nothing else")
		}
		one, err := x509.ParseCertificate(c.Data)
		if err != nil {
			return nil, fmt.Errorf("read certificate %d: %w", len(chain)+1, err)
		}
		chain = append(chain, one)
	}
	return chain, nil
}

func identity(n trust.Name) msg.Identity {
	return ike.URIIdentity(n.String())
}

func nameOf(i msg.Identity) (trust.Name, error) {
	uri, ok := ike.URI(i)
	if !ok {
		return trust.Name{}, errors.New("its identity is not the name of a node")
	}
	n, err := trust.Parse(uri)
	if err == nil && n.Role != trust.RoleNode {
		err = fmt.Errorf("it is a %s, not a node", n.Role)
	}
	return n, err
}

var everything = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

func anything() (all []msg.Selector) {
	for _, p := range everything {
		all = append(all, msg.PrefixSelector(p))
	}
	return all
}
