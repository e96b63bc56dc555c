package sqlite

import (
	"database/sql"
	"net/netip"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/ipam"
)

// maxPools bounds for how many networks the writer remembers which addresses are taken. All are forgotten when it is reached.
const maxPools = 1024

// pools is what the writer remembers of taken addresses, so that an admission costs the same in a network of 100,000 as in an
// empty one. The database is the truth: after a failure everything is forgotten and read again.
type pools map[ident.Network]*pair

// pair is the addresses of one network; a family that it does not have is nil.
type pair struct{ v4, v6 *ipam.Pool }

func (p pools) forget() { clear(p) }

// pool returns the addresses of a network of the tenant.
func (w *work) pool(n store.Network) (*pair, error) {
	if p := w.pools[n.ID]; p != nil {
		return p, nil
	}
	p := new(pair)
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

// used returns how many nodes the network has: each has an address of every family.
func (p *pair) used() int {
	if p.v4 != nil {
		return p.v4.Used()
	}
	return p.v6.Used()
}

// next returns the lowest free address of each family, and whether each family has one.
func (p *pair) next() (a4, a6 netip.Addr, ok bool) {
	ok = true
	if p.v4 != nil {
		a4, ok = p.v4.Next()
	}
	if p.v6 != nil && ok {
		a6, ok = p.v6.Next()
	}
	return a4, a6, ok
}

func (p *pair) take(a4, a6 netip.Addr) {
	if p.v4 != nil {
		p.v4.Take(a4)
	}
	if p.v6 != nil {
		p.v6.Take(a6)
	}
}

func (p *pair) release(a4, a6 netip.Addr) {
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
