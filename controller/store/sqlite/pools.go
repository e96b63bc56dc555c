package sqlite

import (
	"database/sql"
	"fmt"
	"net/netip"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/ipam"
)

// maxPools bounds for how many networks the writer remembers which addresses are taken. All are forgotten when it is reached.
const maxPools = 1024

// pools is what the writer remembers of taken addresses, so that an admission costs the same in a network of 100,000 as in an
// empty one. The database is the truth: after a failure everything is forgotten and read again.
type pools map[ident.Network]*pool

// maxNumbers bounds for how many names a pool remembers the last number.
const maxNumbers = 1024

// pool is what is taken in one network: the addresses of each family, nil for one that it does not have; and for names that
// machines wished for, a number that is taken.
type pool struct {
	network string // its name
	v4, v6  *ipam.Pool
	numbers map[string]int
}

func (p pools) forget() { clear(p) }

// pool returns what is taken in a network of the tenant.
func (w *work) pool(id ident.Network) (*pool, error) {
	if p := w.pools[id]; p != nil {
		return p, nil
	}
	n, err := w.network(id, 0)
	if err != nil {
		return nil, err
	}
	p := &pool{network: n.Name, numbers: map[string]int{}}
	if n.Range4.IsValid() {
		p.v4 = ipam.NewPool(n.Range4)
	}
	if n.Range6.IsValid() {
		p.v6 = ipam.NewPool(n.Range6)
	}
	taken, err := allOwn(w, scanAddresses, selectAddresses, int64(n.ID))
	if err != nil {
		return nil, err
	}
	for _, a := range taken {
		p.take(a[0], a[1])
	}
	if len(w.pools) >= maxPools {
		w.pools.forget()
	}
	w.pools[n.ID] = p
	return p, nil
}

// lease takes the lowest free address of each family of a network.
func (w *work) lease(id ident.Network) (a4, a6 netip.Addr, err error) {
	p, err := w.pool(id)
	if err != nil {
		return a4, a6, err
	}
	w.pooled = true
	a4, a6, room := p.next()
	if !room || p.used() >= store.MaxNodes {
		return a4, a6, fmt.Errorf("network %q: %w: all its %d addresses are taken", p.network, store.ErrLimit, p.used())
	}
	p.take(a4, a6)
	return a4, a6, nil
}

// giveBack ends a lease.
func (w *work) giveBack(id ident.Network, a4, a6 netip.Addr) {
	if p := w.pools[id]; p != nil {
		p.release(a4, a6)
		w.pooled = true
	}
}

// used returns how many nodes and plain devices the network has: each has an address of every family.
func (p *pool) used() int {
	if p.v4 != nil {
		return p.v4.Used()
	}
	return p.v6.Used()
}

// next returns the lowest free address of each family, and whether each family has one.
func (p *pool) next() (a4, a6 netip.Addr, ok bool) {
	ok = true
	if p.v4 != nil {
		a4, ok = p.v4.Next()
	}
	if p.v6 != nil && ok {
		a6, ok = p.v6.Next()
	}
	return a4, a6, ok
}

// name returns a free name for a node of the network, near to the one wished for.
func (p *pool) name(wish string, taken func(string) (bool, error)) (string, error) {
	name, number, err := store.FreeName(wish, p.numbers[wish], taken)
	if len(p.numbers) >= maxNumbers {
		clear(p.numbers)
	}
	p.numbers[wish] = number
	return name, err
}

func (p *pool) take(a4, a6 netip.Addr) {
	if p.v4 != nil {
		p.v4.Take(a4)
	}
	if p.v6 != nil {
		p.v6.Take(a6)
	}
}

// release gives addresses back; the name that went with them is free too.
func (p *pool) release(a4, a6 netip.Addr) {
	clear(p.numbers)
	if p.v4 != nil {
		p.v4.Release(a4)
	}
	if p.v6 != nil {
		p.v6.Release(a6)
	}
}

func scanAddresses(rows *sql.Rows) (a [2]netip.Addr, err error) {
	var a4, a6 sql.NullString
	if err = rows.Scan(&a4, &a6); err == nil {
		a[0], a[1], err = addresses(a4, a6)
	}
	return a, err
}
