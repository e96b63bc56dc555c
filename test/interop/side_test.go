//go:build interop && linux

package interop

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/lab"
)

const (
	link = "wg0"
	port = 51820
	// mtu leaves room for WireGuard, UDP and IPv6 on a link of 1500 bytes: every implementation's default.
	mtu = 1420
)

// side is one end of the tunnel: an implementation on a computer behind a router.
type side struct {
	lan    *lab.Site
	host   *lab.Host
	kind   kind
	maker  maker
	outer  netip.Addr // where it is, outside
	inner4 netip.Addr
	inner6 netip.Addr
	key    key.WGPrivate
}

// peerOptions is what one side may be told of the other, besides who it is.
type peerOptions struct {
	endpoint  bool // where it is
	preshared [32]byte
	keepalive time.Duration
}

// silent is the same for a side that waits to be spoken to.
func (o peerOptions) silent() peerOptions {
	o.keepalive = 0
	return o
}

// peerStats is what a side tells of the other.
type peerStats struct {
	endpoint  netip.AddrPort // invalid: not known
	handshake time.Time      // the last; zero: none. In whole seconds
	rx, tx    uint64         // bytes on the wire
}

func (w *world) newSide(name string, k kind, n byte, outer family) *side {
	w.t.Helper()
	m, err := newMaker(k)
	w.must(err)
	lan := w.lab.Site(name, "none+v6open")
	s := &side{
		lan: lan, host: lan.Host(name), kind: k, maker: m, key: key.NewWGPrivate(),
		inner4: netip.AddrFrom4([4]byte{10, 90, 0, n}), inner6: netip.MustParseAddr(fmt.Sprintf("fd90::%d", n)),
	}
	s.outer = s.host.Addr()
	if outer == v6 {
		s.outer = s.host.Addr6()
	}
	return s
}

// Start makes the interface, with a key and addresses and without a peer.
func (s *side) Start(ctx context.Context) error {
	if err := s.maker.make(ctx, s.host); err != nil {
		return fmt.Errorf("make %s on %s: %w", link, s.host.Name(), err)
	}
	if err := s.host.Do(s.raise); err != nil {
		return fmt.Errorf("raise %s on %s: %w", link, s.host.Name(), err)
	}
	private := base64.StdEncoding.EncodeToString(s.key.Bytes())
	return s.wg(ctx, private, "set", link, "listen-port", fmt.Sprint(port), "private-key", "/dev/stdin")
}

// Stop ends the side the hard way: sessions, peers and key are gone.
func (s *side) Stop() error { return s.maker.unmake(s.host) }

// SetPeer makes the other side a peer, or changes what is told of it.
func (s *side) SetPeer(ctx context.Context, other *side, o peerOptions) error {
	args := []string{"set", link, "peer", other.key.Public().String(),
		"allowed-ips", other.inner4.String() + "/32," + other.inner6.String() + "/128",
		"persistent-keepalive", fmt.Sprint(int(o.keepalive.Seconds())), "preshared-key", "/dev/stdin"}
	if o.endpoint {
		args = append(args, "endpoint", netip.AddrPortFrom(other.outer, port).String())
	}
	return s.wg(ctx, base64.StdEncoding.EncodeToString(o.preshared[:]), args...)
}

// Stats tells what the side knows of its one peer.
func (s *side) Stats(ctx context.Context) (peerStats, error) {
	out, err := s.host.Run(ctx, "wg", "show", link, "dump")
	if err != nil {
		return peerStats{}, err
	}
	return parseDump(out)
}

// wg runs the tool with a secret on its standard input.
func (s *side) wg(ctx context.Context, secret string, args ...string) error {
	c := s.host.Command(ctx, "wg", args...)
	c.Stdin = strings.NewReader(secret + "\n")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("wg %s on %s: %w: %s", args[0], s.host.Name(), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// raise gives the interface addresses and routes, on a thread in the host.
func (s *side) raise() error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMTU(l, mtu); err != nil {
		return err
	}
	for _, a := range []netip.Prefix{netip.PrefixFrom(s.inner4, 24), netip.PrefixFrom(s.inner6, 64)} {
		if err := netlink.AddrReplace(l, &netlink.Addr{IPNet: ipNet(a)}); err != nil {
			return fmt.Errorf("add %s: %w", a, err)
		}
	}
	return netlink.LinkSetUp(l)
}

// parseDump reads `wg show dump` with one peer: a line of the interface, and one of the peer in eight columns.
func parseDump(out string) (p peerStats, err error) {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		return p, fmt.Errorf("wg show tells of %d peers, want 1", len(lines)-1)
	}
	var public, preshared, endpoint, allowed, keepalive string
	var handshake int64
	if _, err := fmt.Sscan(lines[1], &public, &preshared, &endpoint, &allowed, &handshake, &p.rx, &p.tx, &keepalive); err != nil {
		return p, errors.New("wg show tells of a peer in an unknown form")
	}
	if handshake != 0 {
		p.handshake = time.Unix(handshake, 0)
	}
	if endpoint != "(none)" {
		p.endpoint, err = netip.ParseAddrPort(endpoint)
	}
	return p, err
}
