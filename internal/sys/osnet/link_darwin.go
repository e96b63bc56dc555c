package osnet

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// identify finds the utun device of that name.
func identify(iface string) (identity, error) {
	i, err := find(iface)
	if err != nil {
		return identity{}, err
	}
	boot, err := unix.SysctlRaw("kern.boottime")
	if err != nil {
		return identity{}, err
	}
	return identity{Boot: hex.EncodeToString(boot), Index: i.Index}, nil
}

func find(iface string) (*net.Interface, error) {
	if !strings.HasPrefix(iface, "utun") {
		return nil, errNotTUN
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if i.Name == iface {
			return &i, nil
		}
	}
	return nil, fmt.Errorf("there is none: %w", fs.ErrNotExist)
}

// configure brings an interface from one state to another and raises it.
func configure(old, next entry, mtu int, _ *slog.Logger) error {
	if err := withdraw(next.Interface, without(old.Addresses, next.Addresses), without(old.Routes, next.Routes)); err != nil {
		return err
	}
	if err := run("/sbin/ifconfig", next.Interface, "mtu", strconv.Itoa(mtu), "up"); err != nil {
		return err
	}
	for _, a := range without(next.Addresses, old.Addresses) {
		if err := addAddress(next.Interface, a); err != nil {
			return err
		}
	}
	for _, r := range without(next.Routes, old.Routes) {
		if err := run("/sbin/route", routeCall("add", next.Interface, r)...); err != nil {
			return err
		}
	}
	return nil
}

// addAddress gives a utun device, which is a point-to-point link, an address of its own and a route to the address's range.
func addAddress(iface string, a netip.Prefix) error {
	ip := a.Addr().String()
	call := []string{iface, "inet", ip, ip, "netmask", "255.255.255.255", "alias"}
	if a.Addr().Is6() {
		call = []string{iface, "inet6", ip, "prefixlen", "128", "alias"}
	}
	if err := run("/sbin/ifconfig", call...); err != nil {
		return err
	}
	return run("/sbin/route", routeCall("add", iface, a.Masked())...)
}

func routeCall(verb, iface string, r netip.Prefix) []string {
	kind := "-inet"
	if r.Addr().Is6() {
		kind = "-inet6"
	}
	return []string{"-q", "-n", verb, kind, r.String(), "-interface", iface}
}

// deconfigure removes what an entry says from its interface and lowers it.
func deconfigure(e entry) error {
	return errors.Join(withdraw(e.Interface, e.Addresses, e.Routes), run("/sbin/ifconfig", e.Interface, "down"))
}

func withdraw(iface string, addresses, routes []netip.Prefix) error {
	var faults []error
	for _, r := range routes {
		faults = append(faults, run("/sbin/route", routeCall("delete", iface, r)...))
	}
	for _, a := range addresses {
		kind := "inet"
		if a.Addr().Is6() {
			kind = "inet6"
		}
		faults = append(faults,
			run("/sbin/route", routeCall("delete", iface, a.Masked())...),
			run("/sbin/ifconfig", iface, kind, a.Addr().String(), "-alias"))
	}
	return errors.Join(faults...)
}

// destroy removes what an entry says. The device itself cannot be removed from outside: it goes with the process that opened it.
func destroy(e entry) error { return deconfigure(e) }
