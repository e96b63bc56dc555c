package stream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/sys/mark"
	"github.com/cvlan/cvlan/internal/sys/quicx"
)

const (
	// stagger is the head start of one attempt over the next (RFC 8305 recommends it for addresses).
	stagger = 250 * time.Millisecond
	// handshakeTime bounds one attempt, from the first packet to the end of the handshake.
	handshakeTime = 10 * time.Second
)

// DialConfig says where to connect and how.
type DialConfig struct {
	// Whom says in errors who is meant; "": the controller.
	Whom string
	// Addrs are the other end's, host:port, most wanted first. Of the addresses that they resolve to, 8 are tried.
	Addrs []string
	// TLS is made by ClientTLS.
	TLS *tls.Config
	// Transport restricts the race; zero: Auto.
	Transport Transport
	// Limit bounds a received frame in bytes; 0: 1 MiB.
	Limit int
	// Memory and Attachment say what won the last race in this place; nil: nothing is remembered.
	Memory     Memory
	Attachment string
	// Datagrams allows unreliable datagrams on a QUIC connection: see Conn.
	Datagrams bool
	// Stagger is the head start of one attempt over the next; 0: 250 ms.
	Stagger time.Duration
	// Silent is told since when the other end leaves the connection's keep-alives unanswered, 33 s after its last sign of life at most, and the zero time when it
	// answers again; the connection itself is given up later. It is called from a goroutine of the stream's and must not block. Over TCP only Linux tells. Not
	// for DialConn. nil: nobody asks.
	Silent func(since time.Time)
	// Afresh runs the race as if nothing was remembered. A session on TCP says so every ten minutes or so, to find out whether QUIC has
	// become possible.
	Afresh bool

	// Proxy returns the HTTP proxy for a URL, nil for none, as net/http's transport has it. One is tried after its address's direct ways, each with
	// a head start, or first if it won the last race; only CONNECT is asked of it. nil: no proxy.
	Proxy func(*url.URL) (*url.URL, error)

	// The outside world; nil: the system's.
	Lookup    func(ctx context.Context, host string) ([]netip.Addr, error)
	DialTCP   func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	ListenUDP func(ctx context.Context, to netip.AddrPort) (net.PacketConn, error) // a socket for one connection to that address
}

// Dial connects to a controller: QUIC first, TLS over TCP 250 ms later, then through a proxy if there is one, each address of each kind 250 ms after the one before
// or as soon as that has failed; the first whole handshake wins, and nothing is left of the others when Dial returns. The context bounds Dial
// only. The error is a *DialError, one line for a person.
func Dial(ctx context.Context, cfg DialConfig) (Stream, error) {
	s, err := cfg.dial(ctx)
	if err != nil {
		return nil, err
	}
	switch c := s.c.(type) {
	case *overQUIC:
		c.keepBeating(s, watch{tell: cfg.Silent})
	case *overTLS:
		go (&watch{tell: cfg.Silent}).probes(s.over, func() (time.Duration, bool) { return unheard(c.raw) })
	}
	return s, nil
}

func (cfg *DialConfig) dial(ctx context.Context) (*framed, error) {
	if cfg.TLS == nil || len(cfg.Addrs) == 0 {
		return nil, errors.New("stream: Dial without an address or without TLS")
	}
	cfg.fill()
	targets, failures := cfg.resolve(ctx)
	if _, err := cfg.proxy(cfg.Addrs[0]); err != nil {
		failures = append(failures, failure{"", "HTTPS_PROXY", err})
	}
	r := race{tries: cfg.order(targets), failures: failures, stagger: cfg.Stagger, whom: cfg.Whom}
	won, err := r.run(ctx, cfg.attempt)
	if err != nil {
		return nil, err
	}
	if cfg.Memory != nil {
		cfg.Memory.Remember(cfg.Attachment, won.try.choice())
	}
	return won.stream, nil
}

func (cfg *DialConfig) fill() {
	if cfg.Transport == "" {
		cfg.Transport = Auto
	}
	cfg.Stagger, cfg.Whom = cmp.Or(cfg.Stagger, stagger), cmp.Or(cfg.Whom, "controller")
	if cfg.Lookup == nil {
		cfg.Lookup = mark.Lookup
	}
	if cfg.DialTCP == nil {
		cfg.DialTCP = dialTCP
	}
	if cfg.ListenUDP == nil {
		cfg.ListenUDP = listenUDP
	}
}

func dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1, Control: prepare} // tuneClient sets keepalives
	return d.DialContext(ctx, "tcp", to.String())
}

// prepare sets a connection up that is about to be made.
func prepare(network, address string, c syscall.RawConn) error {
	return errors.Join(mark.Control(network, address, c), shorten(network, address, c))
}

func listenUDP(ctx context.Context, to netip.AddrPort) (net.PacketConn, error) {
	network := "udp6"
	if to.Addr().Is4() {
		network = "udp4"
	}
	lc := net.ListenConfig{Control: mark.Control}
	return lc.ListenPacket(ctx, network, ":0")
}

// order makes the list of attempts: what won last time, then by address QUIC before TCP. Those through proxies follow what is tried of the first address, so that
// whoever has nothing but a proxy does not wait for all the others.
func (cfg *DialConfig) order(targets []target) (tries []try) {
	var proxied []try
	first := 0
	for _, t := range targets {
		if t.via != nil {
			proxied = append(proxied, try{TCP, t})
			continue
		}
		for _, transport := range []Transport{QUIC, TCP} {
			if cfg.Transport == Auto || cfg.Transport == transport {
				tries = append(tries, try{transport, t})
			}
		}
		if first == 0 {
			first = len(tries)
		}
	}
	tries = slices.Insert(tries, first, proxied...)
	if cfg.Memory == nil || cfg.Afresh {
		return tries
	}
	last, ok := cfg.Memory.Recall(cfg.Attachment)
	for i, t := range tries {
		if ok && t.choice() == last {
			copy(tries[1:i+1], tries[:i])
			tries[0] = t
			break
		}
	}
	return tries
}

// attempt makes one connection, handshake included.
func (cfg *DialConfig) attempt(ctx context.Context, t try) (*framed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handshakeTime, errNoAnswer)
	defer cancel()
	conf := cfg.TLS.Clone()
	if conf.ServerName == "" {
		conf.ServerName = t.host // for those who route by it; nobody checks it
	}
	var s *framed
	var err error
	if t.transport == QUIC {
		s, err = cfg.overQUIC(ctx, t.to, conf)
	} else {
		s, err = cfg.overTCP(ctx, t, conf)
	}
	if err != nil && ctx.Err() != nil {
		err = t.ended(context.Cause(ctx))
	}
	return s, explain(err)
}

// errNoAnswer is why an attempt ends that nobody answers.
var errNoAnswer = fmt.Errorf("no answer in %v", handshakeTime)

func (cfg *DialConfig) overTCP(ctx context.Context, t try, conf *tls.Config) (*framed, error) {
	raw, err := cfg.reach(ctx, t)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, conf)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	s := newTLSStream(c, raw, cfg.Limit)
	if t.via != nil {
		s.info.Remote, s.info.Proxy = netip.AddrPort{}, t.via.at()
	}
	return s, nil
}

// reach makes the connection below TLS.
func (cfg *DialConfig) reach(ctx context.Context, t try) (net.Conn, error) {
	if t.via != nil {
		return cfg.through(ctx, t)
	}
	raw, err := cfg.DialTCP(ctx, t.to)
	if err == nil {
		tuneClient(raw)
	}
	return raw, err
}

func (cfg *DialConfig) overQUIC(ctx context.Context, to netip.AddrPort, conf *tls.Config) (*framed, error) {
	socket, err := cfg.ListenUDP(ctx, to)
	if err != nil {
		return nil, err
	}
	port, err := quicx.Open(quicx.Config{Conn: socket, Datagrams: cfg.Datagrams})
	if err != nil {
		return nil, err
	}
	c, err := port.Dial(ctx, to, conf)
	if err != nil {
		port.Close()
		return nil, err
	}
	s, err := c.OpenStreamSync(ctx) // the server lets us have it at once
	if err != nil {
		c.CloseWithError(0, "")
		port.Close()
		return nil, err
	}
	return newQUICStream(c, s, port, cfg.Limit), nil
}
