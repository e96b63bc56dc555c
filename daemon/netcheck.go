package daemon

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/trust"
	core "github.com/cvlan/cvlan/internal/core/netcheck"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/netcheck"
	"github.com/cvlan/cvlan/internal/sys/mark"
	"github.com/cvlan/cvlan/internal/sys/portmap"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/relay"
)

// checkBuffer is what the system holds for a socket of a check, in bytes.
const checkBuffer = 256 << 10

// fillCheck puts the real world wherever the caller has not put another.
func fillCheck(c *netcheck.Config) {
	if c.Open == nil {
		c.Open = func() (sock.Socket, error) { return sock.Open(sock.Config{Buffer: checkBuffer}) }
		c.PathMTU = sock.PathMTU
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			d := net.Dialer{Control: mark.Control}
			return d.DialContext(ctx, "tcp", to.String())
		}
	}
	if c.Detour == nil {
		c.Detour = func(ctx context.Context, r netcheck.Relay) (net.Conn, string, error) {
			d := stream.DialConfig{Proxy: stream.ProxyFromEnvironment}
			for _, host := range r.Hosts {
				d.Addrs = append(d.Addrs, net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
			}
			return stream.Detour(ctx, d)
		}
	}
	if c.Resolve == nil {
		c.Resolve = mark.Lookup
	}
	if c.Gateway == nil {
		c.Gateway = func(ctx context.Context) portmap.State { return portmap.Look(ctx, portmap.System{}) }
		c.Gateway6 = func(ctx context.Context) portmap.State { return portmap.Look(ctx, portmap.System{IPv6: true}) }
	}
}

// NetCheck implements localapi.Backend. Two at once would disturb each other, and the relays.
func (d *Daemon) NetCheck(ctx context.Context) (local.NetCheck, error) {
	if !d.checking.TryLock() {
		return local.NetCheck{}, local.CodeBusy.Problem("check the network", "a check is under way", "try again in three seconds")
	}
	defer d.checking.Unlock()
	c := d.cfg.Check
	known := d.knownRelays(&c)
	c.Secure = func(ctx context.Context, r netcheck.Relay, conn net.Conn) error {
		return known[r.Number].secure(ctx, conn)
	}
	return showCheck(netcheck.Run(ctx, &c)), nil
}

// knownRelay is a relay, and what proves that it is the one.
type knownRelay struct {
	id  ident.Relay
	pin [32]byte // of the root
}

// knownRelays lists the relays of all networks that are up, each once, and what else they know of the machine.
func (d *Daemon) knownRelays(c *netcheck.Config) (known []knownRelay) {
	var ours []string // interfaces
	for _, m := range d.all() {
		e, _ := m.alive()
		if e == nil {
			continue
		}
		s, pin := e.Status(), m.state.Session().Pin
		if s.Interface != "" {
			ours = append(ours, s.Interface)
		}
		c.Lifetime = shorter(c.Lifetime, lifetime(s))
		if ahead, ok := e.ControllerAhead(); ok && c.Clock == nil {
			c.Clock = func(context.Context) (time.Duration, error) { return ahead, nil }
		}
		for _, r := range s.Relays {
			k := knownRelay{r.ID, pin}
			if to, ok := toCheck(r, len(known)); ok && !slices.Contains(known, k) {
				c.Relays, known = append(c.Relays, to), append(known, k)
			}
		}
	}
	if c.Own == nil {
		c.Own = func() []netip.Addr {
			all, _ := d.cfg.Outside.Host.LocalAddrs(ours...) // without them "no NAT" is not told
			return all
		}
	}
	return known
}

// lifetime is what a network's guide has measured; 0: nothing yet.
func lifetime(s *engine.Status) time.Duration {
	if g := s.Guide(); g != nil {
		return g.Lifetime()
	}
	return 0
}

// shorter is the shorter of two times that may be 0, for not known: networks measure with sockets of their own, and what all have seen holds.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// toCheck says where a relay is: the hosts that have the port of the first. One that has not been there yet is nowhere: not ok.
func toCheck(r control.Relay, number int) (out netcheck.Relay, ok bool) {
	out = netcheck.Relay{Name: r.Name, Region: r.Region, STUN: r.STUN, Number: number}
	for _, at := range r.Addresses {
		host, text, err := net.SplitHostPort(at)
		port, err2 := strconv.ParseUint(text, 10, 16)
		if cmp.Or(err, err2) != nil || out.Port != 0 && out.Port != uint16(port) {
			continue
		}
		out.Port, out.Hosts = uint16(port), append(out.Hosts, host)
	}
	return out, len(out.Hosts) > 0
}

// secure does TLS as nobody, which a relay tells from a node only after it has shown who it is itself.
func (k knownRelay) secure(ctx context.Context, conn net.Conn) error {
	c := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{relay.ALPN},
		InsecureSkipVerify: true, // public authorities and names do not apply: the root is pinned
		VerifyConnection:   func(s tls.ConnectionState) error { return k.verify(s.PeerCertificates) },
	})
	err := c.HandshakeContext(ctx)
	var alert *net.OpError // crypto/tls tells so of an alert of the other side's
	var noTLS tls.RecordHeaderError
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, netcheck.ErrForeign), errors.Is(err, netcheck.ErrEnded):
		return err
	case errors.As(err, &noTLS), errors.As(err, &alert) && alert.Op == "remote error":
		return fmt.Errorf("%w: %v", netcheck.ErrForeign, err)
	case errors.Is(err, io.EOF):
		return errors.New("the connection was closed during TLS")
	default:
		return err
	}
}

func (k knownRelay) verify(chain []*x509.Certificate) error {
	name, err := trust.VerifyRelay(chain, k.pin, trust.Clock{}.Now())
	if err == nil && name.Relay != k.id {
		err = errors.New("it is another relay")
	}
	if ended, ok := errors.AsType[*trust.ExpiredError](err); ok {
		return fmt.Errorf("%w: on %s", netcheck.ErrEnded, ended.NotAfter.UTC().Format(time.DateOnly))
	}
	if errors.Is(err, trust.ErrPin) {
		return fmt.Errorf("%w, under an authority of its own", netcheck.ErrForeign)
	}
	if err != nil {
		return fmt.Errorf("%w: %v", netcheck.ErrForeign, err)
	}
	return nil
}

// showCheck writes a report for the wire.
func showCheck(r core.Report) local.NetCheck {
	out := local.NetCheck{
		Schema: local.Schema, Took: r.Took, IPv4: showFamily(&r.IPv4), IPv6: showFamily(&r.IPv6), Hairpin: r.Hairpin.String(), Captive: r.Captive,
		Ports:  local.NetPorts{Protocols: append([]string{}, r.Gateway.Protocols...), DoubleNAT: r.DoubleNAT, Pinholes: r.Gateway.Pinholes},
		Relays: make([]local.NetRelay, 0, len(r.Relays)), Meaning: r.Meaning,
	}
	if r.Gateway.Outside.IsValid() {
		out.Ports.Outside = &r.Gateway.Outside
	}
	if r.Gateway.External.IsValid() {
		out.Ports.External = &r.Gateway.External
	}
	if r.ClockIsKnown {
		out.Clock = &r.Clock
	}
	for _, x := range r.Relays {
		out.Relays = append(out.Relays, local.NetRelay{Name: x.Name, Region: x.Region, UDP: x.UDP, TLS: x.TLS, Proxy: x.Proxy, Ended: x.Ended, MTU: x.MTU, Problem: x.Problem})
	}
	return out
}

func showFamily(p *core.Path) local.NetFamily {
	return local.NetFamily{Asked: p.Asked, UDP: p.UDP, Outside: append([]netip.AddrPort{}, p.Outside...), Mapping: p.Mapping.String(), Filtering: p.Filtering.String(),
		KeptPort: p.KeptPort.String(), Lifetime: p.Lifetime}
}
