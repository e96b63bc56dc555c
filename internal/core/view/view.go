package view

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// Bounds.
const (
	// MaxEndpoints is how many endpoints of a node are told; more are cut off.
	MaxEndpoints = 16
	// MaxTombstones is how many deletions a View remembers. The oldest are forgotten first, and whoever has not heard of them
	// gets a snapshot.
	MaxTombstones = 10_000
)

// TombstoneLife is for how long deletions are worth remembering; the owner calls Expire with now less this.
const TombstoneLife = 7 * 24 * time.Hour

// Errors that say that the caller and the View disagree. The View has not changed.
var (
	// ErrUnknown: there is no such network, node or plain device.
	ErrUnknown = errors.New("view: unknown network or node")
	// ErrOrder: the change is not newer than what nodes have been told already, or older than the change before it.
	ErrOrder = errors.New("view: change out of order")
	// ErrInvalid: the object cannot be told to anybody.
	ErrInvalid = errors.New("view: invalid network or node")
)

// Config says where a View begins.
type Config struct {
	Epoch uint64 // changes when a backup is restored
	Boot  uint64 // random, new at every start of the controller
	Hard  uint64 // version of the tenant's newest change, as loaded; changes up to it are taken as the load
	Floor uint64 // version of the newest deletion that the store has forgotten; 0: none

	Piece      int // bytes aimed at for one frame; 0: control.MaxPiece
	Tombstones int // how many deletions are remembered; 0: MaxTombstones
}

// View is what the nodes of one tenant may see. It is not safe for concurrent use.
type View struct {
	cfg      Config
	networks map[ident.Network]*network
	members  map[ident.Node]*member
	devices  map[ident.Plain]*device
	tombs    tombs
	relays   relays
	trust    trust
	hard     uint64 // the tenant's newest version
	newest   uint64 // the newest change that was put here; lower than hard while loading
	told     uint64 // the newest hard version that a session was given
	soft     uint64

	builds uint64    // counts deltas
	pieces pieces    // scratch
	walk   []*member // scratch
	bytes  []byte    // scratch
}

// Network is what its nodes are told of a network.
type Network struct {
	ID     ident.Network
	Name   string
	Tenant string // the tenant's name
	Range4 netip.Prefix
	Range6 netip.Prefix
	Domain string
	Open   bool // members may see each other
	// Protocol is what two of its nodes speak that could speak either; zero: it is left to them.
	Protocol control.Tunnels
}

// network is a Network with its members.
type network struct {
	Network
	field   []byte // Map.network, encoded
	version uint64 // of the newest change to the network itself
	flip    uint64 // when Open last changed, or may have
	floor   uint64 // version of the newest deletion that is forgotten
	members []*member
	list    [lists]list // what changed, for those who see peers
	moves   uint64      // counts changes to the lists
	shelves map[ident.Node]*shelf
	shared  shared
	firsts  snapshots
	sight   Sight  // nil: everybody sees everybody
	turns   []turn // former sights, oldest first
	blind   uint64 // before this version it is not known who saw whom
}

// New makes an empty View. The load follows, before the first session: networks, then nodes, plain devices and former deletions
// (PutNode, PutPlain, RemoveNode, RemovePlain) together in the order of versions.
func New(cfg Config) *View {
	if cfg.Piece <= 0 {
		cfg.Piece = control.MaxPiece
	}
	if cfg.Tombstones <= 0 {
		cfg.Tombstones = MaxTombstones
	}
	return &View{cfg: cfg, hard: cfg.Hard, networks: map[ident.Network]*network{}, members: map[ident.Node]*member{},
		devices: map[ident.Plain]*device{}}
}

// Cursor returns the present position.
func (v *View) Cursor() Cursor { return Cursor{v.cfg.Epoch, v.hard, v.cfg.Boot, v.soft} }

// Len returns how many nodes there are.
func (v *View) Len() int { return len(v.members) }

// PutNetwork adds a network or changes it. When it opens or closes, its members get a snapshot.
func (v *View) PutNetwork(n Network, version uint64) (Change, error) {
	field, err := networkField(n)
	if err != nil || n.ID.IsZero() || len(field) > control.MaxPiece/2 {
		return Change{}, fmt.Errorf("%w: network %s", ErrInvalid, n.ID)
	}
	if err := v.advance(version, !v.loading(version)); err != nil {
		return Change{}, err
	}
	w := v.networks[n.ID]
	switch {
	case w == nil:
		w = &network{flip: version, floor: v.cfg.Floor, list: [lists]list{{which: byHard}, {which: bySoft}}}
		v.networks[n.ID] = w
	case w.Network == n:
		return Change{}, nil
	case w.Open != n.Open:
		w.flip = version
		w.firsts.clear()
	}
	w.Network, w.field, w.version = n, field, version
	return Change{network: w, scope: everyone}, nil
}

// RemoveNetwork forgets a network and whoever is in it.
func (v *View) RemoveNetwork(id ident.Network, version uint64) (Change, error) {
	w := v.networks[id]
	if w == nil {
		return Change{}, ErrUnknown
	}
	if err := v.advance(version, true); err != nil {
		return Change{}, err
	}
	for _, m := range w.members {
		m.gone = true
		delete(v.members, m.id)
	}
	v.tombs.forget(w)
	v.scrap(w)
	delete(v.networks, id)
	return Change{network: w, scope: everyone}, nil
}

// Expire forgets deletions before an instant; see TombstoneLife.
func (v *View) Expire(before time.Time) {
	for v.tombs.len() > 0 && v.tombs.oldest().at.Before(before) {
		v.tombs.drop()
	}
}

// advance takes the version of a change. It must be above what any session was told, or the change would be missed by those who
// stand there; and where it goes into a list it must not be below the change before it.
func (v *View) advance(version uint64, listed bool) error {
	if version <= v.told || listed && version < v.newest {
		return fmt.Errorf("%w: version %d after %d", ErrOrder, version, max(v.told, v.newest))
	}
	if listed {
		v.newest = version
	}
	v.hard = max(v.hard, version)
	return nil
}

// loading reports whether a change of this version belongs to the load, so that nodes may know of what was before it.
func (v *View) loading(version uint64) bool { return version <= v.cfg.Hard }
