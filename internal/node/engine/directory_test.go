package engine

import (
	"crypto/ecdsa"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/certtest"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/core/netmap"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
)

// peerOf is a peer as a tunnel hands it to its protocols.
func peerOf(t *testing.T, k key.WGPublic, n ident.Node) (p *tunnel.Peer) {
	t.Helper()
	network := sock.NewNetwork(nil)
	s, err := network.Open(sock.Config{}, netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	protocols, err := Protocols(TunnelConfig{Private: key.NewWGPrivate(), Speaks: control.WireGuard})
	if err != nil {
		t.Fatal(err)
	}
	w, err := tunnel.New(tunnel.Config{Self: key.WGPublic{9}, TUN: tun.NewTwin(tun.Config{}), Sockets: []sock.Socket{s}, Transports: protocols})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.SetPeer(tunnel.PeerConfig{Key: k, Node: n}); err != nil {
		t.Fatal(err)
	}
	w.Consult(tunnel.WireGuard, func(_ mono.Time, _ tunnel.Transport, find func(key.WGPublic) *tunnel.Peer, _ *tunnel.Out) {
		p = find(k)
	})
	return p
}

func certs(p *trusttest.Party) (all []msg.Cert) {
	for _, der := range p.Chain {
		all = append(all, msg.Cert{Encoding: msg.CertX509, Data: der})
	}
	return all
}

// A certificate proves a node only if everything fits: root, tenant, name, dates, and the key in the record.
func TestOnlyTheNodeOfTheMapIsBelieved(t *testing.T) {
	root, elsewhere := trusttest.Root(), trusttest.Root()
	tenant, other := root.Mint(trust.TenantName(trusttest.Domain, 7)), root.Mint(trust.TenantName(trusttest.Domain, 8))
	name := trust.NodeName(trusttest.Domain, 7, 2)
	now := time.Now()
	self, right := tenant.Mint(trust.NodeName(trusttest.Domain, 7, 1)), tenant.MintUntil(name, now.Add(time.Hour))
	d := newDirectory(&session.Membership{Tenant: 7, Node: 1, Root: root.Cert.Raw}, func() session.Credentials {
		return session.Credentials{Certificate: self.TLS(), Now: func() trust.Instant { return trust.Instant{At: now, Local: now} }}
	})
	record := func(holder *trusttest.Party) control.Record {
		id, err := key.PublicOf(holder.Cert.PublicKey.(*ecdsa.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		return control.Record{Node: 2, WG: key.WGPublic{2}, Identity: id}
	}
	d.put(&netmap.Peer{Record: record(right)}, netmap.Choice{By: control.IPsec})
	p := peerOf(t, key.WGPublic{2}, 2)

	how, err := d.Meet(p)
	if uri, ok := ike.URI(how.Remote); err != nil || !ok || uri != name.String() || len(how.Certificates) != 2 {
		t.Fatalf("%+v, %v", how, err)
	}
	if k, ok := d.Who(how.Remote, msg.Identity{}); !ok || k != p.Key() {
		t.Error("who it is by name is not known")
	}
	e, left, err := d.Evidence(p, how.Remote, certs(right))
	if err != nil || !right.Cert.PublicKey.(*ecdsa.PublicKey).Equal(e.Public) {
		t.Fatalf("the right one is refused: %v", err)
	}
	if left > time.Hour || left < time.Hour-time.Second { // certificates count seconds
		t.Errorf("the proof holds for %v", left)
	}
	for what, wrong := range map[string]*trusttest.Party{
		"of another root":          elsewhere.Mint(trust.TenantName(trusttest.Domain, 7)).Mint(name),
		"of another tenant":        other.Mint(trust.NodeName(trusttest.Domain, 8, 2)),
		"for the name, by another": other.Mint(name),
		"of another node":          tenant.Mint(trust.NodeName(trusttest.Domain, 7, 3)),
		"for another key":          tenant.Mint(name),
		"that has ended":           tenant.MintUntil(name, now.Add(-time.Hour)),
		"without the authority":    {Party: certtest.Party{Cert: right.Cert, Chain: right.Chain[:1]}},
		"of an authority":          tenant,
		"that is missing":          {},
	} {
		if _, _, err := d.Evidence(p, how.Remote, certs(wrong)); err == nil {
			t.Errorf("a certificate %s is believed", what)
		}
	}
	if _, _, err := d.Evidence(p, ike.URIIdentity(trust.NodeName(trusttest.Domain, 7, 3).String()), certs(right)); err == nil {
		t.Error("a node is believed to be another")
	}
	if gone := d.believe(control.Authorities{Ended: []control.AuthorityID{control.AuthorityOf([]byte("another"))}}); len(gone) != 0 {
		t.Error("parted from, because another's authority has ended:", gone)
	}
	ended := control.Authorities{Ended: []control.AuthorityID{control.AuthorityOf(tenant.Cert.Raw)}}
	if gone := d.believe(ended); !slices.Equal(gone, []ident.Node{2}) || len(d.believe(ended)) != 0 {
		t.Error("its authority has ended, and parted from are", gone)
	}
	if _, _, err := d.Evidence(p, how.Remote, certs(right)); err == nil {
		t.Error("a certificate of an authority that has ended is believed")
	}
	d.believe(control.Authorities{})
	for _, id := range []msg.Identity{{}, {Kind: msg.IDKeyID, Data: []byte(name.String())}, ike.URIIdentity("spiffe://x"), ike.URIIdentity(trust.RelayName(trusttest.Domain, 2).String()),
		ike.URIIdentity(trust.NodeName(trusttest.Domain, 8, 2).String()), {Kind: msg.IDGN, Data: []byte{0x86, 9}}} {
		if _, ok := d.Who(id, msg.Identity{}); ok {
			t.Errorf("%v is somebody", id)
		}
	}
	d.remove(2)
	if _, err := d.Meet(p); err == nil {
		t.Error("who has left the map is met")
	}
	if _, _, err := d.Evidence(p, how.Remote, certs(right)); err == nil {
		t.Error("who has left the map is believed")
	}
}
