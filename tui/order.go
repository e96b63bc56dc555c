package tui

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/base/words"
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
			c = words.Natural(a.name, b.name)
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
		return words.Natural(a.name, b.name)
	}
}

// known puts what is not known last.
func known(d time.Duration) time.Duration {
	if d == 0 {
		return 1<<63 - 1
	}
	return d
}
