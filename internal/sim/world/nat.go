package world

import (
	"net/netip"
	"path/filepath"

	"github.com/cvlan/cvlan/internal/sim/natmodel"
	"github.com/cvlan/cvlan/internal/sim/netsim"
)

// Router addresses, and those of the nodes behind routers, from base on: those that a router translates, and those that it only guards.
var (
	routerBase = netip.MustParseAddr("198.18.2.0")
	insideBase = netip.MustParseAddr("192.168.0.0")
	routedBase = netip.MustParseAddr("198.19.0.0")
)

// Router makes a router of a kind (natmodel.Kind) on the internet.
func (w *World) Router(kind string) *netsim.NAT {
	w.T.Helper()
	c, err := natmodel.Kind(kind)
	if err != nil {
		w.T.Fatal(err)
	}
	w.routers++
	return w.Net.NAT(after(routerBase, w.routers), c)
}

// NodeBehind makes a machine behind a router and starts its daemon.
func (w *World) NodeBehind(r *netsim.NAT, name string) *Node {
	w.T.Helper()
	base := insideBase
	if r.Routed() {
		base = routedBase
	}
	a := after(base, len(w.nodes)+1)
	r.Host(a)
	n := w.machine(name, a, filepath.Join(w.T.TempDir(), name))
	n.Start()
	return n
}

// after is the n-th address behind another.
func after(a netip.Addr, n int) netip.Addr {
	for range n {
		a = a.Next()
	}
	return a
}
