//go:build !linux && !darwin && !windows

package portmap

import "net/netip"

func defaultGateway(bool) (netip.Addr, int, error) { return netip.Addr{}, 0, ErrNoGateway }
