package admin

import (
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Bounds of the gate.
const (
	burst     = 10              // wrong keys that an address may show at once
	perWrong  = 6 * time.Second // and then one each
	maxBad    = 8192            // addresses remembered
	maxGood   = 1024            // keys remembered
	goodWhile = time.Hour
)

// gate slows down whoever tries keys. Guessing 256 bits is hopeless; what it saves is the database and the log. A key that worked
// within the hour passes always, so that a neighbour behind the same address cannot shut people out.
type gate struct {
	now  func() time.Time
	mu   sync.Mutex
	bads map[netip.Prefix]time.Time // when its debt will be paid: each wrong key moves it by perWrong
	keys map[ident.APIKey]time.Time // when it last worked
}

func newGate(now func() time.Time) *gate {
	return &gate{now: now, bads: map[netip.Prefix]time.Time{}, keys: map[ident.APIKey]time.Time{}}
}

// open reports whether a key from this address is looked at.
func (g *gate) open(remote string, id ident.APIKey) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if at, ok := g.keys[id]; ok && now.Sub(at) < goodWhile {
		return true
	}
	return g.bads[origin(remote)].Sub(now) <= (burst-1)*perWrong
}

// bad notes a wrong key.
func (g *gate) bad(remote string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, from := g.now(), origin(remote)
	if debt := g.bads[from]; debt.After(now) {
		g.bads[from] = debt.Add(perWrong)
		return
	}
	forget(g.bads, maxBad, func(paid time.Time) bool { return !paid.After(now) })
	g.bads[from] = now.Add(perWrong)
}

// good notes that a key worked.
func (g *gate) good(id ident.APIKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if _, ok := g.keys[id]; !ok {
		forget(g.keys, maxGood, func(at time.Time) bool { return now.Sub(at) >= goodWhile })
	}
	g.keys[id] = now
}

// forget makes room for one more: of a full map go the entries that are past, and if none is, any one.
func forget[K comparable](m map[K]time.Time, limit int, past func(time.Time) bool) {
	if len(m) < limit {
		return
	}
	for k, at := range m {
		if past(at) {
			delete(m, k)
		}
	}
	for k := range m {
		if len(m) < limit {
			return
		}
		delete(m, k)
	}
}

// origin is what counts as one address: an IPv4 address, or the /64 that a site has of IPv6.
func origin(remote string) netip.Prefix {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	if a.Addr().Unmap().Is6() {
		bits = 64
	}
	p, _ := a.Addr().Unmap().WithZone("").Prefix(bits)
	return p
}
