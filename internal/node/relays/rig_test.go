package relays

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/relay"
)

var (
	here  = netip.MustParseAddrPort("203.0.113.4:443")
	proxy = netip.MustParseAddrPort("10.0.0.1:3128")
)

// rider is a passenger that keeps what it is told.
type rider struct {
	mu      sync.Mutex
	welcome relay.Welcome
	failed  []relay.Reason
	ended   int
	frames  [][]byte
	when    time.Time // of what came last
	refuse  error     // what Frames returns
}

func (r *rider) Registered(w relay.Welcome, _ time.Duration) receiver {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.welcome, r.when = w, time.Now()
	return r
}

func (r *rider) Failed(why relay.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed, r.when = append(r.failed, why), time.Now()
}

func (r *rider) Ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended++
}

func (r *rider) Frames(frames [][]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range frames {
		r.frames = append(r.frames, append([]byte(nil), f...))
	}
	return r.refuse
}

// world is a network with one relay, in a bubble.
type world struct {
	*testing.T
	twin    stream.Twin
	f       *Ferry
	ended   sync.WaitGroup
	quit    []io.Closer
	begun   time.Time
	asks    tls.ClientAuthType // the relay, in the handshake
	blocked atomic.Bool        // the way to the relay swallows everything
	proxied atomic.Bool        // the environment names a proxy
	dials   atomic.Int32
}

// story tells one in a bubble; serve is what the relay does with a connection whose handshake is done.
func story(t *testing.T, as *trusttest.Party, serve func(net.Conn), tell func(*world)) {
	storyOf(t, as, tls.NoClientCert, serve, tell)
}

// storyOf tells one whose relay asks for a certificate in the handshake as it is said.
func storyOf(t *testing.T, as *trusttest.Party, asks tls.ClientAuthType, serve func(net.Conn), tell func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, begun: time.Now(), asks: asks}
		w.listen(here, func(raw net.Conn) {
			c := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{*as.TLS()}, NextProtos: []string{relay.ALPN}, ClientAuth: w.asks})
			if c.Handshake() == nil {
				serve(c)
			}
		})
		w.f = New(Config{
			Credentials: credentials, DialTCP: w.dialTCP,
			ListenUDP: func(context.Context, netip.AddrPort) (net.PacketConn, error) { return nil, errors.New("no UDP here") },
			Proxy: func(*url.URL) (*url.URL, error) {
				if !w.proxied.Load() {
					return nil, nil
				}
				return url.Parse("http://me:secret@" + proxy.String())
			},
		})
		w.f.SetRelays([]control.Relay{{ID: theRelay, Addresses: []string{here.String()}}})
		tell(w)
		w.f.Close()
		for _, c := range w.quit {
			c.Close()
		}
		w.ended.Wait()
	})
}

func (w *world) dialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	w.dials.Add(1)
	if to == here && w.blocked.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return w.twin.DialTCP(ctx, to)
}

// listen serves connections until the story ends.
func (w *world) listen(at netip.AddrPort, serve func(net.Conn)) {
	l, err := w.twin.ListenTCP(at)
	if err != nil {
		w.Fatal(err)
	}
	w.quit = append(w.quit, l)
	w.ended.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.ended.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
}

func (w *world) since(r *rider) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.when.Sub(w.begun)
}

// receive reads a frame.
func receive(c io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, int(head[0])<<8|int(head[1]))
	_, err := io.ReadFull(c, b)
	return b, err
}

func send(c io.Writer, frame []byte) error {
	b, err := relay.AppendStream(nil, frame)
	if err != nil {
		return err
	}
	_, err = c.Write(b)
	return err
}

// isTheNode reports whether a Register frame proves, on the connection that it came on, that the node holds its certificate, and TLS has been shown none.
func isTheNode(c net.Conn, f []byte) bool {
	state := c.(*tls.Conn).ConnectionState()
	h, err := relay.ReadHello(f)
	if err != nil || len(state.PeerCertificates) > 0 {
		return false
	}
	holder, err := h.Holder(state.ExportKeyingMaterial)
	return err == nil && holder.Equal(theRealm().node.Cert)
}

// welcomes registers the node as client 5, and then lets rest go on.
func welcomes(rest func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		f, err := receive(c)
		if err != nil {
			return
		}
		if !isTheNode(c, f) {
			return
		}
		w := relay.Welcome{Version: relay.Version, Client: 5, Idle: 120, Channels: 100}
		if send(c, w.Append(nil)) == nil {
			rest(c)
		}
	}
}

// echoes sends every frame back.
func echoes(c net.Conn) {
	for {
		f, err := receive(c)
		if err != nil || send(c, f) != nil {
			return
		}
	}
}

func holds(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// data is a frame with a number in it.
func data(i, size int) []byte {
	b := make([]byte, relay.HeaderSize+size)
	relay.PutData(b, relay.Number(i), relay.Key{})
	return b
}
