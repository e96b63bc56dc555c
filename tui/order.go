package tui

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// order is what peers are sorted by.
type order int

const (
	byName order = iota
	byPath
	byLatency
	byTraffic
	bySeen
	byOwner
	orders
)

// sort sorts peers. Equal ones are in the order of their names, so that rows keep still.
func (o order) sort(rows []*peer, now time.Time, back bool) {
	slices.SortFunc(rows, func(a, b *peer) int {
		c := o.compare(a, b, now)
		if back {
			c = -c
		}
		if c == 0 && o != byName {
			c = natural(a.name, b.name)
		}
		return cmp.Or(c, strings.Compare(a.id.node, b.id.node))
	})
}

func (o order) compare(a, b *peer, now time.Time) int {
	switch o {
	case byPath:
		return cmp.Or(cmp.Compare(a.stand, b.stand), strings.Compare(a.way, b.way))
	case byLatency:
		return cmp.Compare(known(a.rtt), known(b.rtt))
	case byTraffic:
		return cmp.Compare(b.meter.sum(), a.meter.sum())
	case bySeen:
		return b.lastSeen(now).Compare(a.lastSeen(now))
	case byOwner:
		return strings.Compare(a.owner, b.owner)
	default:
		return natural(a.name, b.name)
	}
}

// known puts what is not known last.
func known(d time.Duration) time.Duration {
	if d == 0 {
		return 1<<63 - 1
	}
	return d
}

// natural compares names as people count: db-2 comes before db-10.
func natural(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		if !digit(a[i]) && !digit(b[i]) {
			return cmp.Compare(a[i], b[i])
		}
		return cmp.Or(cmp.Compare(digits(a, i), digits(b, i)), cmp.Compare(a[i], b[i]))
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns how many digits the number at i has, those before i included: the longer number is the larger.
func digits(s string, i int) int {
	n := 0
	for j := i; j < len(s) && digit(s[j]); j++ {
		n++
	}
	for j := i - 1; j >= 0 && digit(s[j]); j-- {
		n++
	}
	return n
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
