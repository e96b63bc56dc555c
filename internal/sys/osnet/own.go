package osnet

import (
	"net"
	"net/netip"
	"strings"
)

// ours begins the names that interfaces of networks of ours have, unless somebody chose another.
const ours = "cvlan"

// Own lists the machine's global unicast addresses. Those in networks of ours are left out: who looks for a controller or a relay there has
// found one already. Where the system tells nothing there are none.
func Own() []netip.Addr {
	all, _ := net.Interfaces()
	var found []netip.Addr
	for _, i := range all {
		if strings.HasPrefix(i.Name, ours) {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
				found = append(found, p.Addr().Unmap())
			}
		}
	}
	return found
}
