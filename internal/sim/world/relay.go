package world

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/ticket"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/server"
)

// relayBase is the address before the first relay's.
var relayBase = netip.MustParseAddr("198.18.3.0")

const relayPort = 443

// Relay is one of the provider's relays, which may be stopped, killed and started again.
type Relay struct {
	Name, Region string
	Addr         netip.Addr

	w   *World
	key ticket.Ticket
	dir string

	live *relay.Relay // nil: not running
	udp  *sock.Memory
	stop context.CancelFunc
	done chan struct{}
	cut  atomic.Bool // its sockets were taken away: it may complain
}

// Relay makes a relay in a region of its own, and starts it.
func (w *World) Relay(name string) *Relay {
	w.T.Helper()
	return w.RelayIn(name, name)
}

// RelayIn makes a relay in a region, and starts it.
func (w *World) RelayIn(region, name string) *Relay {
	w.T.Helper()
	k, err := w.Controller.live.RelayKey(w.Background(), "story", name)
	if err != nil {
		w.T.Fatal(err)
	}
	r := &Relay{Name: name, Region: region, Addr: after(relayBase, len(w.relays)+1), w: w, key: k, dir: filepath.Join(w.T.TempDir(), name)}
	w.relays = append(w.relays, r)
	r.Start()
	return r
}

// Start starts it on its folder, and waits until it serves.
func (r *Relay) Start() {
	r.w.T.Helper()
	live, err := relay.New(relay.Config{
		Data: r.dir, Key: func(context.Context) (ticket.Ticket, error) { return r.key, nil },
		Listen: fmt.Sprintf(":%d", relayPort), Region: r.Region, Advertise: []string{netip.AddrPortFrom(r.Addr, relayPort).String()},
		Log: r.w.log.With("who", r.Name), Now: r.w.Now, Dial: r.dial, Visit: r.visit, Sockets: r.sockets(), NoDoors: true,
	})
	if err != nil {
		r.w.T.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.live, r.stop, r.done = live, stop, make(chan struct{})
	r.cut.Store(false)
	ready := make(chan struct{})
	go func() {
		defer close(r.done)
		if err := live.Run(ctx, func() { close(ready) }); err != nil && !r.cut.Load() {
			r.w.T.Errorf("%s: %v", r.Name, err)
		}
	}()
	select {
	case <-ready:
	case <-time.After(time.Minute):
		r.w.T.Fatalf("%s does not get ready", r.Name)
	}
}

// sockets are the relay's port: what tells QUIC from the rest, in a kernel, is here two networks.
func (r *Relay) sockets() (s server.Sockets) {
	r.w.T.Helper()
	host := r.w.Net.Host(r.Addr)
	var err error
	if s.TCP, err = host.Listen(relayPort); err != nil {
		r.w.T.Fatal(err)
	}
	if s.QUIC, err = host.ListenPacket(relayPort); err != nil {
		r.w.T.Fatal(err)
	}
	if r.udp, err = r.w.udp.Open(sock.Config{Port: relayPort}, r.Addr); err != nil {
		r.w.T.Fatal(err)
	}
	s.UDP = []sock.Socket{r.udp}
	return s
}

func (r *Relay) dial(ctx context.Context, c stream.DialConfig) (stream.Stream, error) {
	host := r.w.Net.Host(r.Addr)
	c.DialTCP = host.Dial
	c.ListenUDP = func(context.Context, netip.AddrPort) (net.PacketConn, error) { return host.ListenPacket(0) }
	return stream.Dial(ctx, c)
}

func (r *Relay) visit(ctx context.Context, c stream.DialConfig) (*stream.Conn, error) {
	c.DialTCP = r.w.Net.Host(r.Addr).Dial
	return stream.DialConn(ctx, c)
}

// Stop ends it in an orderly way. It may be stopped already.
func (r *Relay) Stop() {
	if r.live == nil {
		return
	}
	r.stop()
	<-r.done
	r.live = nil
}

// Kill ends it without a word to anybody: its sockets vanish first.
func (r *Relay) Kill() {
	r.cut.Store(true)
	r.w.Net.Host(r.Addr).PowerCut()
	r.udp.Close()
	r.Stop()
}
