package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/relay/server"
	"github.com/cvlan/cvlan/relay/session"
)

// Where a relay listens unless told otherwise.
const (
	DefaultListen = ":8443"
	DefaultSTUN   = ":3478"
	DefaultHTTP   = "127.0.0.1:9480"
)

// Config is what a relay is made of.
type Config struct {
	Data string // folder of its identity and what it remembers
	// Identity is whose key its certificate is for; nil: one of its own, which it makes and keeps.
	Identity *key.Identity
	// Key returns its key; it is called if the relay has not joined yet. nil: there is none.
	Key        func(context.Context) (ticket.Ticket, error)
	Controller []string              // host:port of controllers; empty: those in the key
	Listen     string                // :port for UDP and TCP
	STUN       string                // :port for STUN alone; empty: none
	HTTP       string                // host:port of /health and /metrics; empty: none
	Advertise  []string              // host:port at which nodes reach it, most wanted first; empty: this machine's own addresses
	Skip       func(netip.Addr) bool // own addresses that are not told; nil: all are
	Region     string
	Transport  stream.Transport // to the controller

	// NodeRate and TenantRate bound what a node and the nodes of a tenant together may send; zero bounds nothing.
	NodeRate, TenantRate forward.Rate
	// DrainTime is how long a relay that is told to stop waits for its clients to go elsewhere, if there is another relay.
	DrainTime time.Duration

	// Calm is called when a storm of connections is over: see server.Config.
	Calm func()

	Log *slog.Logger
	Now func() time.Time // nil: time.Now

	// Dial and Sockets replace the system's. With Sockets, Listen and STUN only say what is told to nodes. See also Guest.
	Dial    session.Dialer
	Visit   func(context.Context, stream.DialConfig) (*stream.Conn, error) // as Dial, to other relays
	Sockets server.Sockets
	// NoDoors leaves out what people and tools of this machine ask: HTTP, and the socket in the folder. It is for simulations.
	NoDoors bool
}

// Validate tells everything that is wrong with a configuration, at once.
func (c Config) Validate() error {
	var all []error
	if c.Data == "" {
		all = append(all, errors.New("data: is empty; name a folder"))
	}
	for name, listen := range map[string]string{"listen": c.Listen, "stun": c.STUN} {
		if name == "stun" && listen == "" {
			continue
		}
		if _, err := portOf(listen); err != nil {
			all = append(all, fmt.Errorf("%s: %w", name, err))
		}
	}
	if c.HTTP != "" {
		if _, _, err := net.SplitHostPort(c.HTTP); err != nil {
			all = append(all, fmt.Errorf("http: %q; want host:port", c.HTTP))
		}
	}
	if err := control.CheckRelayAddresses(c.Advertise); err != nil {
		all = append(all, fmt.Errorf("advertise: %w", err))
	}
	if len(c.Controller) > ticket.MaxAddrs {
		all = append(all, fmt.Errorf("controller: %d of them, at most %d are allowed", len(c.Controller), ticket.MaxAddrs))
	}
	if c.Region != "" && !clean.IsLabel(c.Region) {
		all = append(all, fmt.Errorf("region: %q; want a label of lower case letters, digits and hyphens", clean.Line(c.Region, 63)))
	}
	if !slices.Contains([]stream.Transport{"", stream.Auto, stream.QUIC, stream.TCP}, c.Transport) {
		all = append(all, fmt.Errorf("controller_transport: %q; use auto, quic or tcp", c.Transport))
	}
	return errors.Join(all...)
}

// portOf reads ":port". A relay listens on all addresses: it has to answer from the one that it was asked at.
func portOf(listen string) (uint16, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return 0, fmt.Errorf("%q; want :port", listen)
	}
	if host != "" {
		return 0, fmt.Errorf("%q; a relay listens on all addresses: want :port alone", listen)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q; the port is not a number from 1 to 65535", listen)
	}
	return uint16(n), nil
}

// own are the machine's addresses with a port, public ones first and loopback only if there is nothing else.
func own(port uint16, skip func(netip.Addr) bool) []string {
	var public, private []string
	for _, ip := range osnet.Own() {
		if skip != nil && skip(ip) {
			continue
		}
		text := netip.AddrPortFrom(ip, port).String()
		if ip.IsPrivate() {
			private = append(private, text)
		} else {
			public = append(public, text)
		}
	}
	found := append(public, private...)
	if len(found) == 0 {
		found = []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))}
	}
	return found[:min(len(found), control.MaxRelayAddresses)]
}
