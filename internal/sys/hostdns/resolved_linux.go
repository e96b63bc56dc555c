package hostdns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// systemd-resolved on the bus (org.freedesktop.resolve1(5)).
const (
	resolvedName = "org.freedesktop.resolve1"
	resolvedPath = dbus.ObjectPath("/org/freedesktop/resolve1")
	manager      = resolvedName + ".Manager."
	unknown      = "org.freedesktop.DBus.Error.UnknownMethod"
)

// linkDomain is a domain of an interface: one that is only routed is not searched.
type linkDomain struct {
	Domain  string
	Routing bool
}

// linkServer is a server of an interface. Port 0 is 53.
type linkServer struct {
	Family  int32
	Address []byte
	Port    uint16
	Name    string
}

func domains(l Link) (all []linkDomain) {
	for _, d := range l.Search {
		all = append(all, linkDomain{d, false})
	}
	for _, d := range l.Routed {
		all = append(all, linkDomain{d, true})
	}
	return all
}

func server(a netip.AddrPort) linkServer {
	s := linkServer{Family: unix.AF_INET, Address: a.Addr().AsSlice()}
	if a.Addr().Is6() {
		s.Family = unix.AF_INET6
	}
	if a.Port() != 53 {
		s.Port = a.Port()
	}
	return s
}

// call asks systemd-resolved, which is not started for it.
func (s *System) call(method string, args ...any) (*dbus.Call, error) {
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	if s.bus == nil || !s.bus.Connected() {
		bus, err := s.o.Bus(context.Background())
		if err != nil {
			return nil, s.away(fmt.Errorf("connect to D-Bus: %w", err))
		}
		s.bus = bus
	}
	c := s.bus.Object(resolvedName, resolvedPath).CallWithContext(ctx, manager+method, dbus.FlagNoAutoStart, args...)
	return c, c.Err
}

// away is that what decides on this host is not there.
func (s *System) away(err error) error {
	return &Fault{"names-resolved-away", "this machine's names are for systemd-resolved to find, and it does not answer: " + err.Error(), "see how it is: systemctl status systemd-resolved"}
}

// link tells systemd-resolved of every interface.
func (s *System) link(w Want) error {
	var wanted []string
	for _, l := range w.Links {
		i, err := net.InterfaceByName(l.Interface)
		if err != nil {
			return fmt.Errorf("find the interface %s: %w", l.Interface, err)
		}
		wanted = append(wanted, l.Interface)
		if !slices.Contains(s.linked, l.Interface) {
			s.linked = append(s.linked, l.Interface)
		}
		if err := s.linkOne(int32(i.Index), l, w.Server); err != nil {
			return err
		}
	}
	return s.unlink(wanted)
}

func (s *System) linkOne(index int32, l Link, at netip.AddrPort) error {
	x := server(at)
	_, err := s.call("SetLinkDNSEx", index, []linkServer{x})
	if isUnknown(err) && x.Port == 0 { // before systemd 246
		_, err = s.call("SetLinkDNS", index, []struct {
			Family  int32
			Address []byte
		}{{x.Family, x.Address}})
	}
	if err == nil {
		_, err = s.call("SetLinkDomains", index, domains(l))
	}
	if err != nil {
		return s.failed(l.Interface, err)
	}
	// What older ones do not know they do not do either: ask us for everything, or by TLS.
	for method, value := range map[string]any{"SetLinkDefaultRoute": false, "SetLinkDNSOverTLS": "no"} {
		if _, err := s.call(method, index, value); err != nil && !isUnknown(err) {
			return s.failed(l.Interface, err)
		}
	}
	return nil
}

func isUnknown(err error) bool {
	var e dbus.Error
	return errors.As(err, &e) && e.Name == unknown
}

func (s *System) failed(iface string, err error) error {
	var e dbus.Error
	if f := (*Fault)(nil); errors.As(err, &f) {
		return err
	}
	if errors.As(err, &e) && !strings.HasSuffix(e.Name, ".ServiceUnknown") && !strings.HasSuffix(e.Name, ".NameHasNoOwner") {
		return fmt.Errorf("tell systemd-resolved of %s: %w", iface, err)
	}
	return s.away(err)
}

// unlink has systemd-resolved forget what it was told of interfaces, but for some. What is gone is forgotten already.
func (s *System) unlink(except []string) error {
	for _, name := range slices.Clone(s.linked) {
		if slices.Contains(except, name) {
			continue
		}
		if i, err := net.InterfaceByName(name); err == nil {
			if _, err := s.call("RevertLink", int32(i.Index)); err != nil {
				s.o.Log.Debug("systemd-resolved not told that an interface has no names", "interface", name, "err", err)
			}
		}
		s.linked = slices.DeleteFunc(s.linked, func(n string) bool { return n == name })
	}
	if len(s.linked) == 0 && s.bus != nil {
		_ = s.bus.Close()
		s.bus = nil
	}
	return nil
}

// linksInPlace reports whether systemd-resolved knows what is wanted.
func (s *System) linksInPlace(w Want) (bool, error) {
	for _, l := range w.Links {
		i, err := net.InterfaceByName(l.Interface)
		if err != nil {
			return false, nil
		}
		c, err := s.call("GetLink", int32(i.Index))
		if err != nil {
			return false, s.failed(l.Interface, err)
		}
		var path dbus.ObjectPath
		if err := c.Store(&path); err != nil {
			return false, err
		}
		servers, err := property[[]struct {
			Family  int32
			Address []byte
		}](s, path, "DNS")
		if err != nil {
			return false, s.failed(l.Interface, err)
		}
		has, err := property[[]linkDomain](s, path, "Domains")
		if err != nil {
			return false, s.failed(l.Interface, err)
		}
		if len(servers) != 1 || !slices.Equal(servers[0].Address, w.Server.Addr().AsSlice()) || !sameDomains(has, domains(l)) {
			return false, nil
		}
	}
	return true, nil
}

// sameDomains compares regardless of order.
func sameDomains(a, b []linkDomain) bool {
	return len(a) == len(b) && !slices.ContainsFunc(b, func(d linkDomain) bool { return !slices.Contains(a, d) })
}

func property[T any](s *System, path dbus.ObjectPath, name string) (v T, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	var out dbus.Variant
	err = s.bus.Object(resolvedName, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, resolvedName+".Link", name).Store(&out)
	if err != nil {
		return v, err
	}
	return v, out.Store(&v)
}
