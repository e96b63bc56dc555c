package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// DefaultListen is where a controller listens unless told otherwise, UDP and TCP.
const DefaultListen = ":8443"

// Config is what a controller is made of.
type Config struct {
	Data        string           // folder of the database and the first admin key
	Listen      string           // host:port, UDP and TCP
	AdminListen string           // host:port of the admin API alone, TCP; empty: on Listen
	HTTP        string           // host:port of /health and /metrics, TCP, without TLS and keys; empty: none
	Addresses   []string         // host:port at which nodes reach it, most wanted first; empty: this machine's own
	Transport   stream.Transport // what nodes are asked to use

	Log *slog.Logger
	Now func() time.Time // nil: time.Now

	// Guests share the controller's port.
	Guests []stream.Guest
	// Sockets replaces the operating system's, for simulations and for whom it shares the port with.
	Sockets Sockets
}

// Sockets are a listener for TCP and a socket for UDP. A nil UDP means: no QUIC.
type Sockets struct {
	TCP net.Listener
	UDP net.PacketConn
}

// Validate tells everything that is wrong with a configuration, at once.
func (c Config) Validate() error {
	var all []error
	if c.Data == "" {
		all = append(all, errors.New("data: is empty; name a folder"))
	}
	if _, err := portOf(c.Listen); err != nil {
		all = append(all, fmt.Errorf("listen: %w", err))
	}
	if c.AdminListen != "" {
		if _, err := portOf(c.AdminListen); err != nil {
			all = append(all, fmt.Errorf("admin_listen: %w", err))
		}
	}
	if c.HTTP != "" {
		if _, err := portOf(c.HTTP); err != nil {
			all = append(all, fmt.Errorf("http: %w", err))
		}
	}
	if !slices.Contains([]stream.Transport{"", stream.Auto, stream.QUIC, stream.TCP}, c.Transport) {
		all = append(all, fmt.Errorf("node_transport: %q; use auto, quic or tcp", c.Transport))
	}
	if len(c.Addresses) > ticket.MaxAddrs {
		all = append(all, fmt.Errorf("address: %d of them; at most %d fit into a join key", len(c.Addresses), ticket.MaxAddrs))
	}
	for _, a := range c.Addresses {
		if host, _, err := net.SplitHostPort(a); err != nil || host == "" {
			all = append(all, fmt.Errorf("address: %q; want host:port", a))
		}
	}
	return errors.Join(all...)
}

func portOf(listen string) (uint16, error) {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return 0, fmt.Errorf("%q; want host:port or :port", listen)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q; the port is not a number from 1 to 65535", listen)
	}
	return uint16(n), nil
}

// reachable returns at which addresses nodes may reach this machine, as far as it can know: what was configured, else the host of
// listen, else the machine's own addresses, IPv4 first, loopback only if there is nothing else.
func reachable(c Config) ([]string, error) {
	if len(c.Addresses) > 0 {
		return c.Addresses, nil
	}
	port, err := portOf(c.Listen)
	if err != nil {
		return nil, err
	}
	if host, _, _ := net.SplitHostPort(c.Listen); host != "" {
		if a, err := netip.ParseAddr(host); err != nil || !a.IsUnspecified() {
			return []string{c.Listen}, nil
		}
	}
	addrs := osnet.Own()
	if len(addrs) == 0 {
		addrs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	var all []string
	for _, a := range addrs[:min(len(addrs), ticket.MaxAddrs)] {
		all = append(all, netip.AddrPortFrom(a, port).String())
	}
	return all, nil
}
