package quicx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
)

// Other takes a datagram that is not QUIC, on the port's reading goroutine: it must not block, and must not keep b. See Config.
type Other func(b []byte, from netip.AddrPort)

// Config says what a port is made of.
type Config struct {
	// Conn is the socket; the port owns it from Open on, also when Open fails.
	Conn net.PacketConn
	// ResetKey lets peers notice a crash and restart with their next packet instead of after IdleTimeout, if it is the same before and
	// after; zero: they wait. Only packets of more than 42 bytes are answered, lest two resets answer each other, and QUIC's own
	// keepalives are smaller: a client that wants to know has to send something.
	ResetKey [32]byte
	// TokenKey seals the tokens that prove an address; the same for all who answer for it. Zero: random.
	TokenKey [32]byte
	// Buffer is how large the kernel's buffers for the socket should be, each way, in bytes; 0: 7 MiB, what quic-go asks for. A
	// server for tens of thousands of clients wants 64 MiB.
	Buffer int
	// Unproven is how many connections a second may begin without proof that their source address is theirs; beyond it each first has
	// to answer a Retry (RFC 9000, section 8.1.2), which costs a round trip. 0: 100.
	Unproven int
	// Admit is asked before any work is done for a new connection; an error refuses it. proven says whether the source address is its
	// sender's for sure. release is called once, when the handshake has ended, well or not. nil: all are admitted.
	Admit func(from netip.AddrPort, proven bool) (release func(), err error)
	// Datagrams allows unreliable datagrams (RFC 9221) on the port's connections. On Linux what they write at about the same time leaves together, if Other is nil.
	Datagrams bool
	// Came is told from where something has come, before quic-go gets it, on the port's reading goroutine: it must not block. A port with Other, and a system's socket
	// elsewhere than on Linux, do not tell. nil: nobody is told.
	Came func(from netip.AddrPort)
	// Other takes what is not QUIC: datagrams whose first byte has neither of the two top bits set (RFC 9443). A port with much of it has
	// a socket for each kind (see sock.OpenBeside). nil: such datagrams are dropped.
	Other Other
}

// Port is a UDP port on which QUIC is spoken: any number of dialed connections, and one server.
type Port struct {
	conn      net.PacketConn
	transport *quic.Transport
	datagrams bool
	closed    atomic.Bool
	// Buffers are the sizes that the kernel granted, in bytes; 0 if it cannot be asked.
	Buffers Buffers
}

// Open makes a port of a socket. It starts goroutines that end with Close.
func Open(cfg Config) (*Port, error) {
	if cfg.Conn == nil {
		return nil, errors.New("quic: no socket")
	}
	if cfg.Buffer == 0 {
		cfg.Buffer = 7 << 20
	}
	if cfg.Unproven == 0 {
		cfg.Unproven = 100
	}
	p := &Port{conn: cfg.Conn, datagrams: cfg.Datagrams, Buffers: raiseBuffers(cfg.Conn, cfg.Buffer)}
	p.transport = &quic.Transport{
		Conn:                divert(cfg.Conn, cfg.Other, cfg.Datagrams, cfg.Came),
		ConnectionIDLength:  connectionIDs,
		VerifySourceAddress: newRate(cfg.Unproven).exceeded,
	}
	if cfg.ResetKey != [32]byte{} {
		k := quic.StatelessResetKey(cfg.ResetKey)
		p.transport.StatelessResetKey = &k
	}
	if cfg.TokenKey != [32]byte{} {
		k := quic.TokenGeneratorKey(cfg.TokenKey)
		p.transport.TokenGeneratorKey = &k
	}
	if cfg.Admit != nil {
		p.transport.ConnContext = admitted(cfg.Admit)
	}
	return p, nil
}

// handshakeKey is where a connection's context keeps its handshake.
type handshakeKey struct{}

// handshake is one that has been admitted. Its context may live for days, therefore nothing is kept when it is over.
type handshake struct{ over func() }

func admitted(admit func(netip.AddrPort, bool) (func(), error)) func(context.Context, *quic.ClientInfo) (context.Context, error) {
	return func(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
		release, err := admit(AddrPort(info.RemoteAddr), info.AddrVerified)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, release)
		return context.WithValue(ctx, handshakeKey{}, &handshake{func() {
			if stop() {
				release()
			}
		}}), nil
	}
}

// Addr returns the local address.
func (p *Port) Addr() netip.AddrPort { return AddrPort(p.conn.LocalAddr()) }

// Serve accepts connections until the context ends or the port is closed, and calls handle for each on a goroutine of its own, because
// quic-go refuses newcomers when 32 wait. It returns when all handlers have; the context's end is no error. handle owns the connection.
func (p *Port) Serve(ctx context.Context, conf *tls.Config, handle func(context.Context, *quic.Conn)) error {
	l, err := p.transport.Listen(conf, server(p.datagrams))
	if err != nil {
		return fmt.Errorf("quic on %s: %w", p.Addr(), err)
	}
	defer l.Close()
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for {
		c, err := l.Accept(ctx)
		switch {
		case ctx.Err() != nil || p.closed.Load():
			return nil
		case err != nil:
			return fmt.Errorf("quic on %s: %w", p.Addr(), err)
		}
		handlers.Go(func() {
			if h, ok := c.Context().Value(handshakeKey{}).(*handshake); ok {
				h.over()
				h.over = nil
			}
			handle(ctx, c)
		})
	}
}

// Dial connects to a server. The context bounds the handshake only.
func (p *Port) Dial(ctx context.Context, to netip.AddrPort, conf *tls.Config) (*quic.Conn, error) {
	return p.transport.Dial(ctx, net.UDPAddrFromAddrPort(to), conf, client(p.datagrams))
}

// WriteTo sends a datagram that is not QUIC, such as the answer to one that Other took.
func (p *Port) WriteTo(b []byte, to netip.AddrPort) error {
	_, err := p.transport.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}

// Close ends everything on the port at once, without a word to the peers: close connections first.
func (p *Port) Close() error {
	p.closed.Store(true)
	err := p.transport.Close()
	if g, ok := p.transport.Conn.(interface{ end() }); ok {
		g.end()
	}
	return errors.Join(err, p.conn.Close())
}

// AddrPort returns the address of a UDP endpoint, IPv4 always in its four bytes; invalid if it is not one.
func AddrPort(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := u.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
