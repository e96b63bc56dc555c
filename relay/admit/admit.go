// Package admit decides which nodes a relay serves, from what the controller has told it and nothing else: no question leaves the relay
// while somebody waits.
//
// A node is admitted when its certificate was issued by an authority of its tenant that the controller has named
// (two of them while its key is being changed), certificate and authority are valid by the relay's clock (which never runs behind what a controller has told), the
// certificate is for a node, and the node has not been removed. Everything else is refused: other roles, tenants that the relay does not
// serve, whoever has no certificate.
//
// What the controller tells comes as updates (proto/control, RelayUpdate), which a List takes whole or not at all, and is kept in a
// form that the same code reads again at the next start. Removed nodes are forgotten when their certificates have ended, those that wait for
// approval when they are approved.
package admit

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/trust"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Bounds of what a controller can make a relay hold.
const (
	MaxTenants   = 20_000
	MaxRemoved   = 2_000_000
	maxAuthority = 4 << 10 // bytes of a certificate
	maxFormer    = 4       // authorities of a tenant beside the one that signs
)

// ErrTooLarge is Apply's error for an update beyond the bounds. The list is as before.
var ErrTooLarge = errors.New("the list of whom to admit is too large")

// List says whom to admit. It may be used from any goroutine.
type List struct {
	root *x509.Certificate
	now  func() trust.Instant

	mu         sync.RWMutex
	tenants    map[ident.Tenant][][]byte // authorities, DER, the one that signs first; replaced, never changed
	removed    map[ident.Node]removal
	neighbours []control.Relay
	region     []ident.Relay     // those of them that frames are exchanged with
	open       []*pb.RelayUpdate // pieces that wait for the last one
}

type removal struct {
	tenant ident.Tenant
	until  int64 // seconds since 1970
}

// New returns a list that admits nobody. root is the relay's own, now its clock.
func New(root *x509.Certificate, now func() trust.Instant) *List {
	return &List{root: root, now: now, tenants: map[ident.Tenant][][]byte{}, removed: map[ident.Node]removal{}}
}

// Admit implements the relay's admitter: whoever has registered holds the key of the certificate. A node shows that alone, for its tenant's authorities are known here.
func (l *List) Admit(leaf *x509.Certificate) (ident.Tenant, ident.Node, time.Time, error) {
	claimed, err := trust.NameOf(leaf)
	if err != nil {
		return 0, 0, time.Time{}, fmt.Errorf("admit: %w", err)
	}
	issuer := l.issuer(claimed.Tenant, leaf)
	if issuer == nil { // before any signature is checked
		return 0, 0, time.Time{}, fmt.Errorf("admit: this relay does not serve tenant %s, or the certificate is of none of its authorities", claimed.Tenant)
	}
	n, err := trust.VerifyNode([]*x509.Certificate{leaf, issuer}, l.root, l.now())
	if err != nil {
		return 0, 0, time.Time{}, fmt.Errorf("admit: %w", err)
	}
	if l.isRemoved(n.Node) {
		return 0, 0, time.Time{}, fmt.Errorf("admit: node %s has been removed from its network, or waits for approval", n.Node)
	}
	return n.Tenant, n.Node, leaf.NotAfter, nil
}

// issuer is the tenant's authority whose key a certificate names as its issuer's; nil: none.
func (l *List) issuer(t ident.Tenant, leaf *x509.Certificate) *x509.Certificate {
	l.mu.RLock()
	all := l.tenants[t]
	l.mu.RUnlock()
	for _, der := range all {
		c, err := x509.ParseCertificate(der) // Apply has, too; as bytes they take little, and most of them are never asked for
		if err == nil && len(c.SubjectKeyId) > 0 && bytes.Equal(c.SubjectKeyId, leaf.AuthorityKeyId) {
			return c
		}
	}
	return nil
}

func among(all [][]byte, der []byte) bool {
	return slices.ContainsFunc(all, func(a []byte) bool { return bytes.Equal(a, der) })
}

func (l *List) isRemoved(n ident.Node) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	_, gone := l.removed[n]
	return gone
}

// Neighbours are the other relays of the same nodes.
func (l *List) Neighbours() []control.Relay {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.neighbours
}

// Region are those of the neighbours that frames are exchanged with.
func (l *List) Region() []ident.Relay {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.region
}

// AdmitRelay says which relay of the region has registered. It holds the key of the certificate, and shows that alone, as a node does.
func (l *List) AdmitRelay(leaf *x509.Certificate) (ident.Relay, time.Time, error) {
	claimed, err := trust.NameOf(leaf)
	if err != nil || claimed.Role != trust.RoleRelay { // before any signature is checked
		return 0, time.Time{}, errors.New("admit: not a relay's certificate")
	}
	n, err := trust.VerifyRelay([]*x509.Certificate{leaf, l.root}, key.Fingerprint(l.root), l.now())
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("admit: %w", err)
	}
	if !slices.Contains(l.Region(), n.Relay) {
		return 0, time.Time{}, fmt.Errorf("admit: relay %s is not of this region", n.Relay)
	}
	return n.Relay, leaf.NotAfter, nil
}

// Len returns how many tenants and removed nodes there are.
func (l *List) Len() (tenants, removed int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.tenants), len(l.removed)
}

// Cut says who is to be cut off because of an update.
type Cut struct {
	Nodes   []ident.Node
	Tenants []ident.Tenant
}

// Begin starts a session: pieces of an update that was not finished are forgotten.
func (l *List) Begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = nil
}

// Apply takes one piece of an update. With the last piece the list changes, changed is true, and cut says who has lost their right.
func (l *List) Apply(m *pb.RelayUpdate) (cut Cut, changed bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Snapshot {
		l.open = nil
	}
	l.open = append(l.open, m)
	if weight(l.open) > MaxTenants+MaxRemoved {
		l.open = nil
		return cut, false, ErrTooLarge
	}
	if m.More {
		return cut, false, nil
	}
	all := l.open
	l.open = nil
	cut, err = l.apply(all)
	return cut, err == nil, err
}

func weight(all []*pb.RelayUpdate) (n int) {
	for _, m := range all {
		n += len(m.Tenants) + len(m.RemoveTenants) + len(m.Removed) + 1
	}
	return n
}

// apply works on copies of what is small, and only adds to what is large, so that an error leaves nothing half done.
func (l *List) apply(all []*pb.RelayUpdate) (cut Cut, err error) {
	tenants, removed, neighbours, region := map[ident.Tenant][][]byte{}, map[ident.Node]removal{}, l.neighbours, l.region
	if !all[0].Snapshot {
		maps.Copy(tenants, l.tenants)
		removed = l.removed
	}
	fresh := map[ident.Node]removal{}
	for _, m := range all {
		for _, t := range m.RemoveTenants {
			delete(tenants, ident.Tenant(t))
		}
		for _, t := range m.Tenants {
			if err := l.check(t); err != nil {
				return cut, err
			}
			tenants[ident.Tenant(t.Id)] = append([][]byte{t.Authority}, t.Former...)
		}
		for _, n := range m.Removed {
			fresh[ident.Node(n.Node)] = removal{ident.Tenant(n.Tenant), n.Until}
		}
		if m.Neighbours != nil {
			neighbours, region = relaysOf(m.Neighbours), nil
			for _, id := range m.Region[:min(len(m.Region), control.MaxRelays)] {
				region = append(region, ident.Relay(id))
			}
		}
	}
	if len(tenants) > MaxTenants || len(removed)+len(fresh) > MaxRemoved {
		return cut, ErrTooLarge
	}
	for n, r := range fresh {
		if r.until == 0 { // it may come again
			delete(removed, n)
			continue
		}
		if _, known := l.removed[n]; !known {
			cut.Nodes = append(cut.Nodes, n)
		}
		removed[n] = r
	}
	for t, all := range l.tenants { // by which of its authorities each node came is not kept; those that have a newer certificate come again at once
		if slices.ContainsFunc(all, func(a []byte) bool { return !among(tenants[t], a) }) {
			cut.Tenants = append(cut.Tenants, t)
		}
	}
	slices.Sort(cut.Nodes)
	slices.Sort(cut.Tenants)
	l.tenants, l.removed, l.neighbours, l.region = tenants, removed, neighbours, region
	l.expire()
	return cut, nil
}

// check refuses what is no authority of the tenant under our root: a mistake of the controller's must not lock everybody out silently.
func (l *List) check(t *pb.RelayTenant) error {
	if len(t.Former) > maxFormer {
		return fmt.Errorf("authorities of tenant %s: %d former ones, at most %d are allowed", ident.Tenant(t.Id), len(t.Former), maxFormer)
	}
	for _, der := range append([][]byte{t.Authority}, t.Former...) {
		if err := isAuthority(der, ident.Tenant(t.Id)); err != nil {
			return fmt.Errorf("authority of tenant %s: %w", ident.Tenant(t.Id), err)
		}
	}
	return nil
}

func isAuthority(der []byte, t ident.Tenant) error {
	if len(der) > maxAuthority {
		return fmt.Errorf("%d bytes", len(der))
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if n, err := trust.NameOf(c); err != nil || n.Role != trust.RoleTenant || n.Tenant != t {
		return errors.New("the certificate names somebody else")
	}
	return nil
}

func relaysOf(m *pb.Relays) (all []control.Relay) {
	for _, p := range m.Relays[:min(len(m.Relays), control.MaxRelays)] {
		if r, err := control.ParseRelay(p); err == nil {
			all = append(all, r)
		}
	}
	return all
}

// expire forgets removed nodes whose certificates have ended. The lock is held.
func (l *List) expire() {
	now := l.now().At.Unix()
	for n, r := range l.removed {
		if r.until < now {
			delete(l.removed, n)
		}
	}
}

// Encode returns the list for the disk: an update. Equal lists give equal bytes.
func (l *List) Encode() []byte {
	l.mu.RLock()
	defer l.mu.RUnlock()
	m := &pb.RelayUpdate{Snapshot: true, Neighbours: &pb.Relays{}}
	for _, r := range l.neighbours {
		m.Neighbours.Relays = append(m.Neighbours.Relays, r.Message())
	}
	for _, id := range l.region {
		m.Region = append(m.Region, uint64(id))
	}
	for t, all := range l.tenants {
		m.Tenants = append(m.Tenants, &pb.RelayTenant{Id: uint64(t), Authority: all[0], Former: all[1:]})
	}
	for n, r := range l.removed {
		m.Removed = append(m.Removed, &pb.RemovedNode{Tenant: uint64(r.tenant), Node: uint64(n), Until: r.until})
	}
	slices.SortFunc(m.Tenants, func(a, b *pb.RelayTenant) int { return order(a.Id, b.Id) })
	slices.SortFunc(m.Removed, func(a, b *pb.RemovedNode) int { return order(a.Node, b.Node) })
	b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m) // fails on invalid UTF-8 only, which ParseRelay refuses
	return b
}

func order(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Load takes over what Encode wrote.
func (l *List) Load(b []byte) error {
	m := new(pb.RelayUpdate)
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("whom to admit: %w", err)
	}
	m.Snapshot, m.More = true, false
	_, _, err := l.Apply(m)
	return err
}
