package ipam

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Window bounds how many addresses of a range a Pool hands out: the lowest 2^22, far more than a network has nodes. It bounds
// the pool's memory to 512 KiB, whatever the size of the range.
const Window = 1 << 22

// Pool knows which addresses of one range are taken and gives out the lowest that is free: addresses stay short and easy to
// remember, and small ranges are used whole. Taking and releasing cost O(1), finding the next one O(1) amortised: the search
// begins at the lowest word that may have room. Not safe for concurrent use.
//
// Never given out: the first address of the range (the network's own; in IPv6 the anycast address of its routers, RFC 4291
// section 2.6.1), the second (by custom the router's; kept for services of the network), and the last (IPv4 broadcast). A
// range of four addresses has no room for such luxury and gives out its second.
type Pool struct {
	at    netip.Prefix
	end   uint32   // offsets from end on are never given out
	words []uint64 // a bit an offset; grows to the highest that is taken
	low   int      // no word below has a free bit
	used  int
}

// NewPool returns a pool of the range with every address free.
func NewPool(p netip.Prefix) *Pool {
	q := &Pool{at: p.Masked()}
	size := uint64(Window)
	if host := p.Addr().BitLen() - p.Bits(); host < 63 {
		size = min(size, 1<<host)
	}
	q.end = uint32(size) - 1
	q.words = []uint64{1<<q.first() - 1} // the bits below first are never free
	return q
}

func (p *Pool) first() uint32 {
	if p.end < 7 {
		return 1
	}
	return 2
}

// Used returns how many addresses are taken.
func (p *Pool) Used() int { return p.used }

// Next returns the lowest free address without taking it, or false when all are taken.
func (p *Pool) Next() (netip.Addr, bool) {
	for ; p.low < len(p.words); p.low++ {
		if w := p.words[p.low]; w != ^uint64(0) {
			return p.addr(uint32(p.low<<6 + bits.TrailingZeros64(^w)))
		}
	}
	return p.addr(uint32(p.low << 6))
}

func (p *Pool) addr(offset uint32) (netip.Addr, bool) {
	if offset >= p.end {
		return netip.Addr{}, false
	}
	b := p.at.Addr().As16()
	tail := b[8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)+uint64(offset)) // the range is aligned: no carry beyond it
	a := netip.AddrFrom16(b)
	if p.at.Addr().Is4() {
		a = a.Unmap()
	}
	return a, true
}

// Take marks an address as taken. It reports false, and does nothing, when the address is taken already or is none that the
// pool would give out.
func (p *Pool) Take(a netip.Addr) bool {
	w, bit, ok := p.find(a)
	if !ok || w < len(p.words) && p.words[w]&bit != 0 {
		return false
	}
	for len(p.words) <= w {
		p.words = append(p.words, 0)
	}
	p.words[w] |= bit
	p.used++
	return true
}

// Release gives an address back; one that is not taken is ignored.
func (p *Pool) Release(a netip.Addr) {
	w, bit, ok := p.find(a)
	if !ok || w >= len(p.words) || p.words[w]&bit == 0 {
		return
	}
	p.words[w] &^= bit
	p.low = min(p.low, w)
	p.used--
}

// find returns the word and the bit of an address that the pool may give out.
func (p *Pool) find(a netip.Addr) (word int, bit uint64, ok bool) {
	if !p.at.Contains(a) {
		return 0, 0, false
	}
	x, y := a.As16(), p.at.Addr().As16()
	for i := p.at.Bits() / 8; i < 8; i++ {
		if x[i] != y[i] {
			return 0, 0, false // beyond 2^64
		}
	}
	d := binary.BigEndian.Uint64(x[8:]) - binary.BigEndian.Uint64(y[8:])
	if d < uint64(p.first()) || d >= uint64(p.end) {
		return 0, 0, false
	}
	return int(d >> 6), 1 << (d & 63), true
}
