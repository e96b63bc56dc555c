package tunnel

import (
	"maps"
	"net/netip"
	"sync/atomic"

	"github.com/gaissmai/bart"
)

// routes say which peer an inner address belongs to. The longest range wins; a range belongs to the peer that was given it last.
// Single addresses, which is what nodes have, are looked up exactly; ranges by a trie that is replaced as a whole.
type routes struct {
	hosts    *table[*Peer]
	prefixes atomic.Pointer[bart.Table[*Peer]] // nil: there are none
	besides  atomic.Pointer[map[*Peer]*ranges] // from where few peers may send, though what is for there goes to another; replaced as a whole
}

// from are the ranges that a peer has besides its own.
func (r *routes) from(p *Peer) *ranges {
	if all := r.besides.Load(); all != nil {
		return (*all)[p]
	}
	return nil
}

// also lets a peer send from ranges besides its own, and only these.
func (r *routes) also(p *Peer, besides []netip.Prefix) {
	fresh := map[*Peer]*ranges{}
	if all := r.besides.Load(); all != nil {
		fresh = maps.Clone(*all)
	}
	if delete(fresh, p); len(besides) > 0 {
		fresh[p] = rangesOf(besides)
	}
	r.besides.Store(&fresh)
}

// ranges is a set of addresses; nil is empty. It never changes.
type ranges struct {
	all []netip.Prefix
	set bart.Lite
}

func rangesOf(all []netip.Prefix) *ranges {
	if len(all) == 0 {
		return nil
	}
	r := &ranges{all: all}
	for _, p := range all {
		r.set.Insert(p)
	}
	return r
}

func (r *ranges) has(a address) bool { return r != nil && r.set.Contains(a.netip()) }

// list is what the set was made of.
func (r *ranges) list() []netip.Prefix {
	if r == nil {
		return nil
	}
	return r.all
}

// sources are the inner addresses from which the host may send.
type sources struct {
	own    []address
	behind *ranges // this node as a router; nil: nothing
}

// peer returns whom an address belongs to, nil if to nobody.
func (r *routes) peer(a address) *Peer {
	if p, ok := r.hosts.get(a); ok {
		return p
	}
	if t := r.prefixes.Load(); t != nil {
		p, _ := t.Lookup(a.netip())
		return p
	}
	return nil
}

// owner returns to whom exactly this range was given, nil if to nobody.
func (r *routes) owner(a netip.Prefix) *Peer {
	if a.IsSingleIP() {
		p, _ := r.hosts.get(addressOf(a.Addr()))
		return p
	}
	if t := r.prefixes.Load(); t != nil {
		p, _ := t.Get(a)
		return p
	}
	return nil
}

// add gives a range to a peer.
func (r *routes) add(a netip.Prefix, p *Peer) {
	if a.IsSingleIP() {
		r.hosts.put(addressOf(a.Addr()), p)
		return
	}
	t := r.prefixes.Load()
	if t == nil {
		t = new(bart.Table[*Peer])
	}
	r.prefixes.Store(t.InsertPersist(a, p))
}

// remove takes a range from a peer, if it is still its own.
func (r *routes) remove(a netip.Prefix, p *Peer) {
	if r.owner(a) != p {
		return
	}
	if a.IsSingleIP() {
		r.hosts.remove(addressOf(a.Addr()))
		return
	}
	t := r.prefixes.Load().DeletePersist(a)
	if t.Size() == 0 {
		t = nil
	}
	r.prefixes.Store(t)
}
