package view

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

// Node is what others are told of a node.
type Node struct {
	ID        ident.Node
	Network   ident.Network  // never changes
	Record    []byte         // control.Record, encoded: what the node is to sign
	Signature []byte         // the node's; empty while it has never signed, which hides it
	Signed    []byte         // the older record that Signature is over, if it is not over Record yet: others see that one meanwhile
	Pending   bool           // waits for approval: sees nobody and is shown to nobody
	Class     uint32         // of the network's Sight
	ClassName uint64         // the same, as it is told
	User      string         // its owner as it is told; "": none
	Routes    []netip.Prefix // approved ones that it offers; at most control.MaxRoutes
}

// Soft is what changes often and is forgotten with the controller's process. The zero Soft is the default.
type Soft struct {
	Online    bool
	Endpoints []netip.AddrPort // the first MaxEndpoints that can be sent to are told
	Kinds     []byte           // of Endpoints, as disco's candidate kinds; may be shorter
	HomeRelay ident.Relay      // zero: none
	LastSeen  time.Time        // told, in seconds, of nodes that are not online
}

// Tombstone is what is left of a node, or of a plain device.
type Tombstone struct {
	Node    ident.Node
	Plain   ident.Plain
	Nodes   []ident.Node // those that the plain device was shown to
	Network ident.Network
	Version uint64
	At      time.Time
}

// member is a node in its network, or what is left of it.
type member struct {
	id       ident.Node
	network  *network
	at       int           // index in network.members
	peer     []byte        // what others see
	own      []byte        // what the node itself sees, if it is something else
	soft     []byte        // nil: the default
	version  uint64        // of its newest change
	versions [lists]uint64 // of its newest change that is in the list
	link     [lists]link
	flip     uint64 // when pending last changed, or may have
	gained   uint64 // the build that has shown it anew; see View.builds
	shelf    *shelf // its plain devices
	pending  bool
	shown    bool // to those who see peers
	known    bool // somebody may have been shown it
	gone     bool

	stand     stand
	user      string
	className uint64
	head      int // where in peer and own it begins what policy adds
	ownHead   int
	past      []stance // former stands, oldest first
	since     uint64   // from this version on past is complete
	born      uint64   // it was not there before; 0: it may have been
}

// sees reports whether the member is shown peers.
func (m *member) sees() bool { return m.network.Open && !m.pending }

// PutNode adds a node or changes it.
func (v *View) PutNode(n Node, version uint64) (Change, error) {
	w := v.networks[n.Network]
	if w == nil {
		return Change{}, fmt.Errorf("%w: network %s of node %s", ErrUnknown, n.Network, n.ID)
	}
	m := v.members[n.ID]
	if !valid(n) || m != nil && m.network != w {
		return Change{}, fmt.Errorf("%w: node %s", ErrInvalid, n.ID)
	}
	if err := v.advance(version, true); err != nil {
		return Change{}, err
	}
	peer, own := peerBody(n.Record, n.Signature, n.Routes), []byte(nil)
	if len(n.Signed) > 0 && len(n.Signature) > 0 {
		peer, own = peerBody(n.Signed, n.Signature, n.Routes), peerBody(n.Record, nil, n.Routes)
	}
	here := stand{n.Class, n.User}
	if m == nil {
		m = &member{id: n.ID, network: w, at: len(w.members), flip: version, known: v.loading(version), shelf: w.shelves[n.ID], stand: here, since: version}
		if !v.loading(version) {
			m.born = version
		}
		v.members[n.ID] = m
		w.members = append(w.members, m)
	} else if m.stand != here {
		m.move(here, version)
		w.firsts.clear()
	}
	m.user, m.className = n.User, n.ClassName
	head, ownHead := len(peer), len(own)
	if peer = appendPolicy(peer, n.ClassName, n.User); own != nil {
		own = appendPolicy(own, n.ClassName, n.User)
	}
	if m.peer == nil {
		// it is new
	} else if m.pending == n.Pending && bytes.Equal(m.peer, peer) {
		if bytes.Equal(m.own, own) {
			return Change{}, nil
		}
		m.own, m.ownHead, m.version = own, ownHead, version
		return Change{network: w, node: m.id, m: m, scope: itself}, nil
	}
	if m.pending != n.Pending {
		m.flip = version
	}
	m.peer, m.head, m.own, m.ownHead, m.pending, m.version = peer, head, own, ownHead, n.Pending, version
	return v.show(m, len(n.Signature) > 0 && !n.Pending), nil
}

func valid(n Node) bool {
	signed := len(n.Signature) == key.SignatureSize || len(n.Signature) == 0
	return !n.ID.IsZero() && signed && len(n.User) <= maxUser && len(n.Routes) <= control.MaxRoutes && len(n.Record) > 0 && max(len(n.Record), len(n.Signed)) <= control.MaxRecord
}

// self is what the node itself sees of itself.
func (m *member) self() []byte {
	if m.own != nil {
		return m.own
	}
	return m.peer
}

// show makes a changed member visible or not, and says who is to hear of it.
func (v *View) show(m *member, shown bool) Change {
	w := m.network
	was := m.shown
	m.shown = shown
	m.known = m.known || shown
	if was || shown || m.known && !m.link[byHard].in {
		m.versions[byHard] = m.version
		w.list[byHard].push(m)
		w.moves++
	}
	if shown && !was && (m.soft != nil || m.versions[bySoft] > 0) {
		v.touch(m) // whoever had the node hidden has its soft state to learn, whatever the version it had
	}
	if was && !shown {
		w.firsts.clear()
	}
	if was || shown {
		return Change{network: w, node: m.id, m: m, scope: everyone}
	}
	return Change{network: w, node: m.id, m: m, scope: itself}
}

// RemoveNode deletes a node. One that is not there leaves its tombstone all the same: so the load tells of former deletions.
func (v *View) RemoveNode(t Tombstone) (Change, error) {
	m := v.members[t.Node]
	w := v.networks[t.Network]
	if m != nil && m.network != w {
		return Change{}, fmt.Errorf("%w: node %s is not in network %s", ErrUnknown, t.Node, t.Network)
	}
	if err := v.advance(t.Version, true); err != nil {
		return Change{}, err
	}
	if w == nil {
		return Change{}, nil
	}
	w.abandon(t.Node)
	c := Change{network: w, node: t.Node, scope: itself}
	if m == nil {
		m = &member{id: t.Node, network: w, known: true, since: t.Version}
	} else {
		c.m = m
		if m.shown {
			c.scope = everyone
		}
		v.leave(m)
	}
	m.version, m.gone = t.Version, true
	if c.scope == everyone || m.known && !m.link[byHard].in { // else who may know it was told when it was hidden
		m.versions[byHard] = t.Version
		w.list[byHard].push(m)
		w.moves++
	}
	if m.shown = false; m.known {
		v.bury(tomb{m: m, at: t.At})
	}
	return c, nil
}

// leave takes a node out of everything but the list of changes.
func (v *View) leave(m *member) {
	w := m.network
	last := w.members[len(w.members)-1]
	w.members[m.at], last.at = last, m.at
	w.members[len(w.members)-1] = nil
	w.members = w.members[:len(w.members)-1]
	delete(v.members, m.id)
	w.list[bySoft].drop(m)
	m.peer, m.own, m.soft, m.shelf = nil, nil, nil, nil
	if m.shown {
		w.firsts.clear()
	}
}

// SetSoft replaces a node's soft state. The Change is zero if nothing differs, or nobody sees the node.
func (v *View) SetSoft(id ident.Node, s Soft) Change {
	m := v.members[id]
	if m == nil {
		return Change{}
	}
	v.bytes = appendSoftBody(v.bytes[:0], id, s)
	body := v.bytes
	if len(body) == 1+8 {
		body = nil
	}
	if bytes.Equal(body, m.soft) {
		return Change{}
	}
	m.soft = slices.Clone(body)
	if !m.shown {
		return Change{}
	}
	v.touch(m)
	return Change{network: m.network, node: id, m: m, scope: others}
}

// touch gives a member's soft state a new version.
func (v *View) touch(m *member) {
	v.soft++
	m.versions[bySoft] = v.soft
	m.network.list[bySoft].push(m)
	m.network.moves++
}
