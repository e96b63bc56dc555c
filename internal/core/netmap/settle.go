package netmap

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
)

// before is what a node was until the map under way.
type before struct {
	peer *Peer // nil: it was no peer
	raw  []byte
	why  string

	stray string // see reach
}

// touch notes that a node may come out different.
func (t *Table) touch(id ident.Node) {
	if _, noted := t.touched[id]; noted || id == own {
		return
	}
	b := &before{}
	if e := t.entries[id]; e != nil {
		if b.raw, b.why, b.stray = e.raw, e.why, e.told.fault(); e.believed {
			b.peer = e.peer
		}
	}
	t.touched[id] = b
}

// place enters the claims of an entry if it may make any.
func (t *Table) place(e *entry) {
	t.unplace(e)
	e.route(&t.network)
	if e.why = t.fault(e); e.why == "" {
		t.stake(&e.peer.Record, e.id, true)
		e.staked = true
	}
}

func (t *Table) unplace(e *entry) {
	if e.staked {
		t.stake(&e.peer.Record, e.id, false)
		e.staked = false
	}
}

// stake enters all claims of a record, or withdraws them, and touches everybody whom that may concern.
func (t *Table) stake(r *control.Record, id ident.Node, add bool) {
	for _, a := range addresses(r) {
		stake(&t.addresses, a, id, add, t.touch)
	}
	stake(&t.names, r.Name, id, add, t.touch)
	stake(&t.wg, r.WG, id, add, t.touch)
	stake(&t.identities, r.Identity, id, add, t.touch)
}

// fault says what is wrong with an entry, others left aside.
func (t *Table) fault(e *entry) string {
	if e.fault != "" {
		return e.fault
	}
	if a := t.network.stranger(&e.peer.Record); a.IsValid() {
		return fmt.Sprintf("its address %s lies outside of the network's ranges", a)
	}
	return ""
}

// rival says what a sound entry claims that belongs to somebody else.
func (t *Table) rival(e *entry) string {
	r := &e.peer.Record
	for _, a := range addresses(r) {
		if id, _ := t.addresses.owner(a); id != e.id {
			return fmt.Sprintf("its address %s belongs to %s", a, whose(id))
		}
	}
	if id, _ := t.names.owner(r.Name); id != e.id {
		return fmt.Sprintf("its name %s belongs to %s", r.Name, whose(id))
	}
	if id, _ := t.wg.owner(r.WG); id != e.id {
		return "its WireGuard key belongs to " + whose(id)
	}
	if id, _ := t.identities.owner(r.Identity); id != e.id {
		return "its identity key belongs to " + whose(id)
	}
	return ""
}

// addresses returns those of both that there are.
func addresses(r *control.Record) []netip.Addr {
	both := [2]netip.Addr{r.Address4, r.Address6}
	return slices.DeleteFunc(both[:], func(a netip.Addr) bool { return !a.IsValid() })
}

func whose(id ident.Node) string {
	if id == own {
		return "this node"
	}
	return id.String()
}

// settle decides about everybody who was touched, and tells what is different.
func (t *Table) settle(out *Out) {
	for id, b := range t.touched {
		e := t.entries[id]
		if b.peer != nil {
			t.peers--
		}
		t.decide(e)
		if e != nil && e.believed {
			t.peers++
		}
		tell(id, e, b, out)
	}
	clear(t.touched)
}

// decide makes an entry a peer or not.
func (t *Table) decide(e *entry) {
	if e == nil {
		return
	}
	if e.staked {
		e.why = t.rival(e)
	}
	e.believed = e.why == ""
	if e.peer != nil && !e.peer.Soft.equal(e.soft) {
		changed := *e.peer
		changed.Soft = e.soft
		e.peer = &changed
	}
}

func tell(id ident.Node, e *entry, b *before, out *Out) {
	var now *Peer
	if e != nil && e.believed {
		now = e.peer
	}
	switch was := b.peer; {
	case was == nil && now != nil:
		out.add(Event{Kind: PeerAdded, Node: id, Peer: now})
	case was != nil && now == nil:
		out.add(Event{Kind: PeerRemoved, Node: id, Was: was})
	case was != nil && (!bytes.Equal(b.raw, e.raw) || was.Class != now.Class || was.User != now.User || !slices.Equal(was.Routes(), now.Routes())):
		out.add(Event{Kind: PeerChanged, Node: id, Peer: now, Was: was})
	case was != nil && !was.Soft.equal(now.Soft):
		out.add(Event{Kind: SoftChanged, Node: id, Peer: now, Was: was})
	}
	if e != nil && now == nil && e.why != b.why {
		out.add(Event{Kind: PeerRefused, Node: id, Why: e.why})
	}
	if now != nil && e.told.fault() != b.stray && e.told.fault() != "" {
		out.add(Event{Kind: RouteRefused, Node: id, Why: e.told.stray})
	}
}

func (o *Out) sort() { slices.SortFunc(o.Events, byKind) }
