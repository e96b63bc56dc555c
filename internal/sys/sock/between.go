package sock

import "net/netip"

// Between is what stands between the machines of a Network and may change where datagrams come from and go to: routers that translate.
// Its methods are called from any goroutine.
type Between interface {
	// Leave is told of a datagram that is sent, and returns the address that it then comes from; false: it is lost.
	Leave(from, to netip.AddrPort) (netip.AddrPort, bool)
	// Arrive is told of a datagram that lands, and returns the address that it reaches; false: it is lost.
	Arrive(from, to netip.AddrPort) (netip.AddrPort, bool)
}

// Through puts b between the machines. It is called before the first socket is opened.
func (n *Network) Through(b Between) { n.between = b }

// leave returns the address that a datagram comes from for those who carry it.
func (n *Network) leave(from, to netip.AddrPort) (netip.AddrPort, bool) {
	if n.between == nil {
		return from, true
	}
	return n.between.Leave(from, to)
}

// reached returns the socket that a datagram lands at; nil: none.
func (n *Network) reached(f *flight) *Memory {
	if n.between != nil {
		to, ok := n.between.Arrive(f.from, f.to)
		if !ok {
			return nil
		}
		f.to = to
	}
	return n.at[f.to]
}
