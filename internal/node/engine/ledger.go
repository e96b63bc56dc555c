package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/cvlan/cvlan/internal/node/ipsec"
)

// Ledger is who has which ranges and which interface among the memberships of one process, so that none takes what another has.
// The zero Ledger is ready for use, from any goroutine.
type Ledger struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	owner  string // for people: the network's name
	id     uint64 // of the network
	ranges []netip.Prefix
	iface  string
	routes []netip.Prefix // behind routers
}

// Taken says that another membership of this machine has a range that overlaps.
type Taken struct {
	Range, Other netip.Prefix
	Owner        string
}

// Error implements error.
func (t *Taken) Error() string {
	return fmt.Sprintf("its range %s overlaps %s of the network %q, which this machine is in too", t.Range, t.Other, t.Owner)
}

// take enters a membership's ranges, replacing what it had, or returns a *Taken.
func (l *Ledger) take(id uint64, owner string, ranges []netip.Prefix) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.id == id {
			continue
		}
		for _, r := range ranges {
			if i := slices.IndexFunc(e.ranges, r.Overlaps); i >= 0 {
				return &Taken{r, e.ranges[i], e.owner}
			}
		}
	}
	fresh := entry{owner: owner, id: id, ranges: ranges}
	if i := l.find(id); i >= 0 {
		fresh.iface, fresh.routes = l.entries[i].iface, l.entries[i].routes
		l.entries = slices.Delete(l.entries, i, i+1)
	}
	l.entries = append(l.entries, fresh)
	return nil
}

// crosses returns what another membership has that a prefix overlaps; nil: nothing.
func (l *Ledger) crosses(id uint64, p netip.Prefix) *Taken {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.id == id {
			continue
		}
		for _, r := range slices.Concat(e.ranges, e.routes) {
			if r.Overlaps(p) {
				return &Taken{p, r, e.owner}
			}
		}
	}
	return nil
}

// route notes the prefixes behind routers that a membership uses.
func (l *Ledger) route(id uint64, routes []netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.find(id); i >= 0 {
		l.entries[i].routes = routes
	}
}

// on notes the interface of a membership that has taken its ranges.
func (l *Ledger) on(id uint64, iface string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.find(id); i >= 0 {
		l.entries[i].iface = iface
	}
}

// release strikes a membership out.
func (l *Ledger) release(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.find(id); i >= 0 {
		l.entries = slices.Delete(l.entries, i, i+1)
	}
}

// interfaces lists those of all memberships: they are never where others reach this machine, and no clash.
func (l *Ledger) interfaces() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, e := range l.entries {
		if e.iface != "" {
			names = append(names, e.iface, ipsec.InterfaceOf(e.iface))
		}
	}
	return names
}

func (l *Ledger) find(id uint64) int {
	return slices.IndexFunc(l.entries, func(e entry) bool { return e.id == id })
}
