package netmap

import (
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// own claims for this node itself: before all identifiers.
const own ident.Node = 0

// claims says whose something is that only one node may have. The lowest identifier wins.
type claims[K comparable] struct {
	first  map[K]ident.Node
	rivals map[K][]ident.Node // the other claimants of the few things that are contested, in order
}

func newClaims[K comparable]() claims[K] {
	return claims[K]{map[K]ident.Node{}, map[K][]ident.Node{}}
}

// owner returns whose k is; ok is false if nobody claims it.
func (c *claims[K]) owner(k K) (id ident.Node, ok bool) {
	id, ok = c.first[k]
	return id, ok
}

// add enters a claim and calls touch for every other claimant.
func (c *claims[K]) add(k K, id ident.Node, touch func(ident.Node)) {
	first, taken := c.first[k]
	if !taken {
		c.first[k] = id
		return
	}
	all := append([]ident.Node{first}, c.rivals[k]...)
	for _, o := range all {
		touch(o)
	}
	at, _ := slices.BinarySearch(all, id)
	all = slices.Insert(all, at, id)
	c.first[k], c.rivals[k] = all[0], all[1:]
}

// drop withdraws a claim and calls touch for every claimant that is left.
func (c *claims[K]) drop(k K, id ident.Node, touch func(ident.Node)) {
	rest := c.rivals[k]
	for _, o := range rest {
		touch(o)
	}
	if len(rest) == 0 {
		delete(c.first, k)
		return
	}
	if c.first[k] == id {
		c.first[k], rest = rest[0], rest[1:]
	} else {
		touch(c.first[k])
		at, _ := slices.BinarySearch(rest, id)
		rest = slices.Delete(rest, at, at+1)
	}
	if c.rivals[k] = rest; len(rest) == 0 {
		delete(c.rivals, k)
	}
}

// stake adds a claim or drops it.
func stake[K comparable](c *claims[K], k K, id ident.Node, add bool, touch func(ident.Node)) {
	if add {
		c.add(k, id, touch)
	} else {
		c.drop(k, id, touch)
	}
}
