package netmap

import (
	"errors"
	"iter"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Bounds.
const (
	// MaxPeers is how many nodes a table holds, those that are left out included.
	MaxPeers = 200_000
	// MaxBytes is how long their records and signatures may be together; so much again may wait for the last piece.
	MaxBytes = 64 << 20
	// MaxEndpoints is how many endpoints of a peer are kept; more are ignored.
	MaxEndpoints = 16
	// MaxPlains is how many plain devices a table holds, those that are left out included.
	MaxPlains = 10_000
	// MaxRules is how long the rules may be, in bytes.
	MaxRules = 8 << 20
)

// Errors of Apply and Decode. They arrive wrapped in a sentence.
var (
	// ErrOutOfStep: the delta does not begin where this table is. A new session with Cursor puts it right.
	ErrOutOfStep = errors.New("the delta begins elsewhere")
	// ErrMalformed: no controller of ours sends such a map.
	ErrMalformed = errors.New("malformed map")
	// ErrTooLarge: the map would be over MaxPeers, MaxBytes or MaxPlains.
	ErrTooLarge = errors.New("the map is too large")
	// ErrDamaged: these bytes are not what Encode wrote for this node.
	ErrDamaged = errors.New("the stored map is damaged")
)

// Config says whose map it is.
type Config struct {
	Tenant  ident.Tenant
	Network ident.Network
	Node    ident.Node
	// Verify reports whether signature is that of message; nil: key.IdentityPublic.Verify.
	Verify func(by key.IdentityPublic, message, signature []byte) bool
	// Rules reports what is wrong with rules; nil: nothing is. Rules that are wrong make a map malformed.
	Rules func([]byte) error
}

// Table is one membership's netmap. It is not safe for concurrent use.
type Table struct {
	cfg     Config
	bounds  bounds
	at      cursor
	has     bool // a map has been applied
	network Network
	self    Self
	entries map[ident.Node]*entry
	bytes   int // sum of the entries' sizes
	peers   int // how many are believed
	order   []ident.Node
	sorted  bool
	left    memory
	devices map[ident.Plain]*device
	relays  []control.Relay // in the order of identifiers; replaced, never changed
	rules   Rules
	trust   control.Authorities

	addresses  claims[netip.Addr]
	names      claims[string]
	wg         claims[key.WGPublic]
	identities claims[key.IdentityPublic]

	stage   *stage                 // pieces that wait for the last; nil: none
	touched map[ident.Node]*before // what the map under way has changed, or may have
}

// bounds are MaxPeers, MaxBytes and MaxPlains, but in tests.
type bounds struct{ peers, bytes, plains int }

// cursor is a position; see the section Map of package control.
type cursor struct{ epoch, hard, boot, soft uint64 }

func cursorOf(c *pb.Cursor) cursor {
	return cursor{c.GetEpoch(), c.GetHard(), c.GetBoot(), c.GetSoft()}
}

func (c cursor) message() *pb.Cursor {
	return &pb.Cursor{Epoch: c.epoch, Hard: c.hard, Boot: c.boot, Soft: c.soft}
}

// New makes an empty table.
func New(cfg Config) *Table {
	if cfg.Verify == nil {
		cfg.Verify = key.IdentityPublic.Verify
	}
	return &Table{
		cfg: cfg, bounds: bounds{MaxPeers, MaxBytes, MaxPlains}, entries: map[ident.Node]*entry{}, touched: map[ident.Node]*before{},
		addresses: newClaims[netip.Addr](), names: newClaims[string](),
		wg: newClaims[key.WGPublic](), identities: newClaims[key.IdentityPublic](),
	}
}

// Cursor returns how far the table is, for Hello; nil if it has no map.
func (t *Table) Cursor() *pb.Cursor {
	if !t.has {
		return nil
	}
	return t.at.message()
}

// Network returns what is known of the network; ok is false without a map.
func (t *Table) Network() (n Network, ok bool) { return t.network, t.has }

// Self returns the node itself; ok is false without a map.
func (t *Table) Self() (s Self, ok bool) { return t.self, t.has }

// Rules are what the node may do, as the controller told it. They never change.
type Rules struct {
	Name  uint64 // zero: there are none, and nothing may pass
	Bytes []byte // a charter; see package policy/compile
}

// Rules returns the rules that are in force.
func (t *Table) Rules() Rules { return t.rules }

// Authorities returns what the tenant's authorities are worth, as far as the controller has told.
func (t *Table) Authorities() control.Authorities { return t.trust }

// Len returns the number of peers.
func (t *Table) Len() int { return t.peers }

// Peer returns the peer with an identifier, or nil.
func (t *Table) Peer(id ident.Node) *Peer {
	if e := t.entries[id]; e != nil && e.believed {
		return e.peer
	}
	return nil
}

// ByAddress returns the peer that an address of the network belongs to, or nil.
func (t *Table) ByAddress(a netip.Addr) *Peer { return owner(t, &t.addresses, a) }

// ByName returns the peer with a name, or nil.
func (t *Table) ByName(name string) *Peer { return owner(t, &t.names, name) }

// ByKey returns the peer with a WireGuard key, or nil.
func (t *Table) ByKey(k key.WGPublic) *Peer { return owner(t, &t.wg, k) }

func owner[K comparable](t *Table, c *claims[K], k K) *Peer {
	id, ok := c.owner(k)
	if !ok {
		return nil
	}
	return t.Peer(id)
}

// Peers ranges over the peers in the order of identifiers. The table must not change meanwhile.
func (t *Table) Peers() iter.Seq[*Peer] {
	return func(yield func(*Peer) bool) {
		for _, id := range t.ids() {
			if p := t.Peer(id); p != nil && !yield(p) {
				return
			}
		}
	}
}

// Refused ranges over the nodes that are left out, and why, in the order of identifiers.
func (t *Table) Refused() iter.Seq2[ident.Node, string] {
	return func(yield func(ident.Node, string) bool) {
		for _, id := range t.ids() {
			if e := t.entries[id]; !e.believed && !yield(id, e.why) {
				return
			}
		}
	}
}

// ids returns all identifiers in order. They are sorted when somebody asks.
func (t *Table) ids() []ident.Node {
	if !t.sorted {
		t.order = t.order[:0]
		for id := range t.entries {
			t.order = append(t.order, id)
		}
		slices.Sort(t.order)
		t.sorted = true
	}
	return t.order
}
