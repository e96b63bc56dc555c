package portmap

import "net/netip"

var shared = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// Inner reports whether an outside address is itself behind another NAT: private or shared.
func Inner(a netip.Addr) bool { return a.IsPrivate() || shared.Contains(a) }

// Sound reports whether a router can have an address on its outside, for a host with the local one.
func Sound(outside, local netip.Addr) bool {
	if !outside.IsValid() || outside.Is4() != local.Is4() || !outside.IsGlobalUnicast() {
		return false
	}
	if outside.Is4() {
		first := outside.As4()[0]
		return first != 0 && first < 240
	}
	return true
}
