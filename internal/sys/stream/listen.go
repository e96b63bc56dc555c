package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/sys/quicx"
	"github.com/cvlan/cvlan/proto/control"
)

const (
	// firstFrame is how long a peer may take to send its first frame after the handshake.
	firstFrame = 10 * time.Second
	// strangerLife bounds the whole stay of a machine without a certificate, the answer to its Join included.
	strangerLife = 30 * time.Second
	// strangerLimit bounds its frames in bytes.
	strangerLimit = 16 << 10
	// grace is how long handlers may take to say goodbye when the context has ended.
	grace = 5 * time.Second
)

// Limits bound what peers can make a listener hold. Zero fields mean the defaults.
type Limits struct {
	Handshakes int // under way at a time on each transport; 1024
	PerSource  int // of them from one IPv4 address or IPv6 /64; 128
	Strangers  int // machines without a certificate at a time; 256
	Web        int // connections of others than nodes at a time; 512
}

// ListenConfig says where to listen and for whom.
type ListenConfig struct {
	Addr      string // host:port, for TCP and UDP alike; port 0: any that is free on both
	TLS       ServerTLS
	Transport Transport // zero or Auto: both. With QUIC alone the TCP port still serves Web
	Limit     int       // bounds a node's frames in bytes at first; 0: control.MaxPiece
	Limits    Limits
	// ResetKey, TokenKey, Buffer and Other are the QUIC port's: see quicx.Config.
	ResetKey, TokenKey [32]byte
	Buffer             int
	Other              quicx.Other
	// Guests are other protocols on the same port.
	Guests []Guest
	Log    *slog.Logger // nil: silent

	// TCP and UDP replace the system's sockets; with either, Addr is not used, and what is missing is not served.
	TCP net.Listener
	UDP net.PacketConn
}

// Guest is another protocol on a listener's port, told by its ALPN. Its functions own the connections that they get, whose handshakes
// are done, and return when they need the caller's goroutine no more (TCP) or the connection has ended (QUIC).
type Guest struct {
	ALPN string
	TLS  *tls.Config // NextProtos is set by the listener
	TCP  func(context.Context, *tls.Conn)
	QUIC func(context.Context, *quic.Conn)
	// Came is told from where something comes on the QUIC port: see quicx.Config. nil: nobody is told.
	Came func(from netip.AddrPort)
	// Datagrams asks for RFC 9221, which the whole port then offers.
	Datagrams bool
}

// Listener accepts node streams over TLS/TCP and QUIC on one port number, and gives what else comes over TLS to Web.
type Listener struct {
	cfg       ListenConfig
	tcp       net.Listener
	port      *quicx.Port // nil without QUIC
	web       *web
	handshake struct{ tcp, quic *door }
	strangers *door

	mu      sync.Mutex
	streams map[*framed]struct{}
	closed  atomic.Bool
}

// Listen binds the sockets; Serve does the rest.
func Listen(ctx context.Context, cfg ListenConfig) (*Listener, error) {
	if cfg.TLS.Certificate == nil || cfg.TLS.Admit == nil {
		return nil, errors.New("stream: Listen without a certificate or without Admit")
	}
	cfg.fill()
	l := &Listener{cfg: cfg, tcp: cfg.TCP, streams: make(map[*framed]struct{}), strangers: newDoor(cfg.Limits.Strangers, 0)}
	l.handshake.tcp = newDoor(cfg.Limits.Handshakes, cfg.Limits.PerSource)
	l.handshake.quic = newDoor(cfg.Limits.Handshakes, cfg.Limits.PerSource)
	udp := cfg.UDP
	if l.tcp == nil && udp == nil {
		var err error
		if l.tcp, udp, err = bind(ctx, cfg.Addr, cfg.Transport != TCP); err != nil {
			return nil, err
		}
	}
	if l.tcp != nil {
		l.web = newWeb(l.tcp.Addr(), cfg.Limits.Web)
	}
	if udp == nil || cfg.Transport == TCP {
		return l, nil
	}
	var err error
	if l.port, err = l.openPort(udp); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (c *ListenConfig) fill() {
	for _, f := range []struct {
		field *int
		value int
	}{{&c.Limit, control.MaxPiece}, {&c.Limits.Handshakes, 1024}, {&c.Limits.PerSource, 128}, {&c.Limits.Strangers, 256}, {&c.Limits.Web, 512}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// openPort makes the QUIC port. Sources that may be forged count only in the total: else anybody could keep out whom they want.
func (l *Listener) openPort(udp net.PacketConn) (*quicx.Port, error) {
	admit := func(from netip.AddrPort, proven bool) (func(), error) {
		if !proven {
			from = netip.AddrPort{}
		}
		return l.handshake.quic.enter(from.Addr())
	}
	want := l.cfg.Buffer
	if want == 0 {
		want = 7 << 20
	}
	p, err := quicx.Open(quicx.Config{Conn: udp, ResetKey: l.cfg.ResetKey, TokenKey: l.cfg.TokenKey, Buffer: want, Admit: admit, Other: l.cfg.Other, Came: l.came(),
		Datagrams: slices.ContainsFunc(l.cfg.Guests, func(g Guest) bool { return g.Datagrams })})
	if err == nil && p.Buffers.Hint(want) != "" {
		l.cfg.Log.Warn("UDP buffers are smaller than wanted: many clients at once will lose packets", "bytes", p.Buffers.Read, logx.Hint, p.Buffers.Hint(want))
	}
	return p, err
}

// came tells the guests who want to know; nil: none does.
func (l *Listener) came() func(netip.AddrPort) {
	var all []func(netip.AddrPort)
	for _, g := range l.cfg.Guests {
		if g.Came != nil {
			all = append(all, g.Came)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return func(from netip.AddrPort) {
		for _, f := range all {
			f(from)
		}
	}
}

// Addr returns the address that is listened on.
func (l *Listener) Addr() netip.AddrPort {
	if l.tcp == nil {
		return l.port.Addr()
	}
	return addrPort(l.tcp.Addr())
}

// Web returns a listener for an http.Server (Serve, not ServeTLS): of connections whose handshake is done, HTTP/2 or 1.1. The server's
// ReadHeaderTimeout and IdleTimeout are its owner's to set. Without a call of Web such connections are closed. It is nil without TCP.
func (l *Listener) Web() net.Listener {
	if l.web == nil {
		return nil
	}
	l.web.wanted.Store(true)
	return l.web
}

// Close frees the sockets of a listener that does not serve, and makes Serve end at once, as an error would.
func (l *Listener) Close() error {
	l.closed.Store(true)
	var errs []error
	if l.tcp != nil {
		errs = append(errs, l.tcp.Close())
	}
	if l.web != nil {
		l.web.Close()
	}
	if l.port != nil {
		errs = append(errs, l.port.Close())
	}
	return errors.Join(errs...)
}

// bind takes the same port number on TCP and UDP.
func bind(ctx context.Context, addr string, both bool) (net.Listener, net.PacketConn, error) {
	lc := net.ListenConfig{KeepAlive: -1} // tuneServer sets it
	for attempt := 0; ; attempt++ {
		tcp, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, nil, bindError("TCP", addr, err)
		}
		if !both {
			return tcp, nil, nil
		}
		host, port, _ := net.SplitHostPort(addr)
		_, got, _ := net.SplitHostPort(tcp.Addr().String())
		udp, err := lc.ListenPacket(ctx, "udp", net.JoinHostPort(host, got))
		if err == nil {
			return tcp, udp, nil
		}
		tcp.Close()
		if port != "0" || attempt == 8 {
			return nil, nil, bindError("UDP", addr, err)
		}
	}
}

func bindError(kind, addr string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "; another program has that port: `ss -tulpn` shows which"
	case errors.Is(err, os.ErrPermission):
		hint = "; ports below 1024 need root or CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "; no interface of this machine has that address"
	}
	return fmt.Errorf("listen on %s %s: %s%s", kind, addr, reason(err), hint)
}
