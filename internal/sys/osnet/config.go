package osnet

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Bounds of a Config.
const (
	maxAddresses = 16
	maxRoutes    = 4096
)

// check tells all that is wrong with a Config.
func (c Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Interface == "" {
		fault("no interface named")
	}
	if c.MTU < 576 || c.MTU > 65535 {
		fault("MTU %d is outside 576 to 65535", c.MTU)
	}
	if len(c.Addresses) > maxAddresses || len(c.Routes) > maxRoutes {
		fault("%d addresses and %d routes; at most %d and %d", len(c.Addresses), len(c.Routes), maxAddresses, maxRoutes)
	}
	for _, p := range slices.Concat(c.Addresses, c.Routes) {
		if !p.IsValid() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			fault("%q is no address range", p)
		}
	}
	for _, p := range c.Routes {
		if p.Bits() == 0 {
			fault("%v is a default route, which is never set", p)
		}
	}
	return errors.Join(faults...)
}

// routes are the ranges to route besides those that the kernel or the addresses take care of: masked, without duplicates.
func (c Config) routes() []netip.Prefix {
	implied := make([]netip.Prefix, 0, len(c.Addresses))
	for _, a := range c.Addresses {
		implied = append(implied, a.Masked())
	}
	var all []netip.Prefix
	for _, r := range c.Routes {
		if r = r.Masked(); !slices.Contains(implied, r) && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// without returns those of a that are not in b.
func without(a, b []netip.Prefix) []netip.Prefix {
	var rest []netip.Prefix
	for _, p := range a {
		if !slices.Contains(b, p) {
			rest = append(rest, p)
		}
	}
	return rest
}

// union returns a and those of b that a lacks.
func union(a, b []netip.Prefix) []netip.Prefix { return slices.Concat(a, without(b, a)) }
