package mark

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// resolvedServers is where systemd-resolved lists whom it asks.
const resolvedServers = "/run/systemd/resolve/resolv.conf"

// systemTime is how long the system's own way may take where there is another.
const systemTime = 3 * time.Second

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Lookup finds a host's addresses as the system does, with marked sockets. The questions of systemd-resolved bear no mark, and an exit may keep them back: where
// it does not answer, whom it asks is asked.
func Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	d := net.Dialer{Control: Control}
	text, _ := os.ReadFile(resolvedServers)
	return lookup(ctx, host, d.DialContext, servers(string(text)))
}

func lookup(ctx context.Context, host string, dial dialer, others []netip.Addr) ([]netip.Addr, error) {
	if len(others) == 0 {
		return find(ctx, host, dial)
	}
	brief, cancel := context.WithTimeout(ctx, systemTime)
	defer cancel()
	all, err := find(brief, host, dial)
	if answered(err) {
		return all, err
	}
	for _, s := range others {
		at := netip.AddrPortFrom(s, 53).String()
		all, again := find(ctx, host, func(ctx context.Context, network, _ string) (net.Conn, error) { return dial(ctx, network, at) })
		if answered(again) {
			return all, again
		}
	}
	return nil, err
}

func find(ctx context.Context, host string, dial dialer) ([]netip.Addr, error) {
	r := net.Resolver{PreferGo: true, Dial: dial}
	return r.LookupNetIP(ctx, "ip", host)
}

// answered reports whether somebody has said what there is to say.
func answered(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return err == nil || ok && e.IsNotFound
}

// servers are those that a resolv.conf lists, but for those on this machine.
func servers(resolvconf string) (all []netip.Addr) {
	for line := range strings.Lines(resolvconf) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(f[1]); err == nil && !a.IsLoopback() {
			all = append(all, a)
		}
	}
	return all
}
