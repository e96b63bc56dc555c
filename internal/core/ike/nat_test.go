package ike

import "net/netip"

// translator is a NAT before the first side: every address of its has another one outside, which lasts until it is rebound. Nil
// translates nothing.
type translator struct {
	outside map[netip.AddrPort]netip.AddrPort
	next    uint16
}

func newTranslator() *translator {
	return &translator{outside: map[netip.AddrPort]netip.AddrPort{}, next: 20000}
}

// rebind forgets everything, as NATs do.
func (n *translator) rebind() {
	if n != nil {
		clear(n.outside)
	}
}

// translate is the path by which the other side sees what a side sends; false: it goes to where nobody is.
func (n *translator) translate(from int, p Path) (Path, bool) {
	seen := Path{Local: p.Remote, Remote: p.Local}
	if n == nil {
		return seen, true
	}
	if from == 0 {
		out, ok := n.outside[p.Local]
		if !ok {
			n.next++
			out = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, 1}), n.next)
			n.outside[p.Local] = out
		}
		seen.Remote = out
		return seen, true
	}
	for in, out := range n.outside {
		if out == p.Remote {
			seen.Local = in
			return seen, true
		}
	}
	return seen, false
}
