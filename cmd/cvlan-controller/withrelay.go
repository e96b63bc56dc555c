package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/controller"
	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/server"
)

// relaySettings are those of a relay in the controller's process.
type relaySettings struct {
	on   bool
	stun string
	http string
}

func (s *relaySettings) flags(fs *pflag.FlagSet) {
	fs.BoolVar(&s.on, "with-relay", false, "be a relay too, on the same port")
	fs.StringVar(&s.stun, "relay-stun", relay.DefaultSTUN, "with a relay: :port for STUN alone, UDP; empty: none (the other port answers STUN too)")
	fs.StringVar(&s.http, "relay-http", relay.DefaultHTTP, "with a relay: host:port of its /health and /metrics; empty: none")
}

// relayFolder is where the relay's folder is in the controller's.
const relayFolder = "relay"

// box is a controller and a relay in one process and on one port. The kernel tells the port's datagrams apart (QUIC for the controller's
// port, the rest for the relay's workers), and the ALPN tells the connections.
type box struct {
	ctl   *controller.Controller
	relay *relay.Relay
}

// openBox opens both.
func openBox(ctx context.Context, cfg controller.Config, s relaySettings) (*box, error) {
	port, err := sharedPort(cfg.Listen)
	if err != nil {
		return nil, verbs.Input(err)
	}
	workers, quic, err := sock.OpenBeside(sock.Config{Port: port}, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, fmt.Errorf("share the port with a relay: %w; run cvlan-relay as a process of its own instead", err)
	}
	sockets := server.Sockets{UDP: workers}
	lc := net.ListenConfig{KeepAlive: -1}
	tcp, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err == nil && s.stun != "" {
		err = openSTUN(&sockets, s.stun)
	}
	if err != nil {
		quic.Close()
		for _, u := range workers {
			u.Close()
		}
		if tcp != nil {
			tcp.Close()
		}
		return nil, err
	}
	b := &box{}
	b.relay, err = relay.New(relay.Config{
		Data: filepath.Join(cfg.Data, relayFolder), Listen: cfg.Listen, STUN: s.stun, HTTP: s.http, Sockets: sockets, Log: cfg.Log.With("part", "relay"),
		Controller: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))}, Transport: stream.TCP, Advertise: cfg.Addresses,
		Key: func(ctx context.Context) (ticket.Ticket, error) { return b.ctl.OwnRelayKey(ctx) },
	})
	if err != nil {
		quic.Close()
		tcp.Close()
		return nil, err
	}
	cfg.Guests, cfg.Sockets = []stream.Guest{b.relay.Guest()}, controller.Sockets{TCP: tcp, UDP: quic}
	if b.ctl, err = controller.New(ctx, cfg); err != nil {
		stopped, cancel := context.WithCancel(ctx)
		cancel()
		return nil, errors.Join(err, b.relay.Run(stopped, nil)) // closes what it has
	}
	return b, nil
}

func openSTUN(s *server.Sockets, listen string) error {
	port, err := sharedPort(listen)
	if err != nil {
		return verbs.Input(fmt.Errorf("relay_stun: %w", err))
	}
	u, err := sock.Open(sock.Config{Port: port})
	if err != nil {
		return fmt.Errorf("listen for STUN: %w (--relay-stun; with '' there is none)", err)
	}
	s.STUN = append(s.STUN, u)
	return nil
}

// sharedPort reads ":port": a relay has to answer from the address that it was asked at, and so listens on all.
func sharedPort(listen string) (uint16, error) {
	port, ok := strings.CutPrefix(listen, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return 0, fmt.Errorf("listen: %q; with a relay want :port alone", listen)
	}
	return uint16(n), nil
}

// run serves until ctx is done. The relay gets its key from the controller, and joins when that is ready.
func (b *box) run(ctx context.Context, ready func()) error {
	up := make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.ctl.Run(ctx, func() { close(up) }) })
	g.Go(func() error {
		select {
		case <-up:
		case <-ctx.Done():
		}
		return b.relay.Run(ctx, ready)
	})
	return g.Wait()
}
