package osnet

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/windows"
)

// propVirtual is IF_TYPE_PROP_VIRTUAL of ipifcons.h, the type of wintun's adapters.
const propVirtual = 53

// identify finds the wintun adapter of that name. Its GUID was drawn when it was made.
func identify(iface string) (identity, error) {
	i, err := find(iface)
	if err != nil {
		return identity{}, err
	}
	row := windows.MibIfRow2{InterfaceIndex: uint32(i.Index)}
	if err := windows.GetIfEntry2Ex(windows.MibIfEntryNormal, &row); err != nil {
		return identity{}, err
	}
	if row.Type != propVirtual {
		return identity{}, errNotTUN
	}
	return identity{Namespace: row.InterfaceGuid.String(), Index: i.Index}, nil
}

func find(iface string) (*net.Interface, error) {
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

// configure brings an interface from one state to another. Nothing is stored: "active" means until the next boot.
func configure(old, next entry, mtu int, _ *slog.Logger) error {
	if err := withdraw(next.Interface, without(old.Addresses, next.Addresses), without(old.Routes, next.Routes)); err != nil {
		return err
	}
	size := "mtu=" + strconv.Itoa(mtu)
	if err := runAll("netsh",
		[]string{"interface", "ipv4", "set", "subinterface", next.Interface, size, "store=active"},
		[]string{"interface", "ipv6", "set", "subinterface", next.Interface, size, "store=active"},
	); err != nil {
		return err
	}
	for _, a := range without(next.Addresses, old.Addresses) {
		if err := run("netsh", addressCall("add", next.Interface, a)...); err != nil {
			return err
		}
	}
	for _, r := range without(next.Routes, old.Routes) {
		if err := run("netsh", routeCall("add", next.Interface, r)...); err != nil {
			return err
		}
	}
	return nil
}

// addressCall names one address; with "add" the system routes its range to the interface too.
func addressCall(verb, iface string, a netip.Prefix) []string {
	call := []string{"interface", stack(a), verb, "address", iface}
	switch {
	case verb != "add":
		return append(call, a.Addr().String())
	case a.Addr().Is4():
		return append(call, a.Addr().String(), net.IP(net.CIDRMask(a.Bits(), 32)).String(), "store=active")
	default:
		return append(call, a.String(), "store=active")
	}
}

func routeCall(verb, iface string, r netip.Prefix) []string {
	return []string{"interface", stack(r), verb, "route", r.String(), iface, "store=active"}
}

func stack(p netip.Prefix) string {
	if p.Addr().Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// deconfigure removes what an entry says from its interface.
func deconfigure(e entry) error { return withdraw(e.Interface, e.Addresses, e.Routes) }

func withdraw(iface string, addresses, routes []netip.Prefix) error {
	var faults []error
	for _, r := range routes {
		faults = append(faults, run("netsh", routeCall("delete", iface, r)...))
	}
	for _, a := range addresses {
		faults = append(faults, run("netsh", addressCall("delete", iface, a)...))
	}
	return errors.Join(faults...)
}

// destroy removes what an entry says. The adapter itself goes with the process that made it.
func destroy(e entry) error { return deconfigure(e) }
