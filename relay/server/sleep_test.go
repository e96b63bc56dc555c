package server

import (
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/proto/relay"
)

// rest is long enough for a client to fall asleep, after what QUIC finds out about a path too. No story in which somebody has to sleep lasts until QUIC's keepalive.
const rest = 8 * lively

// latency is the network's of the stories, one way.
const latency = 5 * time.Millisecond

// dormitory is a relay in a bubble, with clients over QUIC.
type dormitory struct {
	*world
	net     *netsim.Net
	clients []*caller.Caller
	streams []*quic.Stream
}

// sleeps tells a story of clients over QUIC, each behind a socket that dress has dressed.
func sleeps(t *testing.T, clients int, dress func(*dormitory, net.PacketConn) net.PacketConn, tell func(*dormitory)) {
	synctest.Test(t, func(t *testing.T) {
		at := netip.MustParseAddrPort("198.51.100.2:443")
		d := &dormitory{net: netsim.New(1)}
		d.net.Weather(netsim.Conditions{Latency: latency})
		there, err := d.net.Host(at.Addr()).ListenPacket(at.Port())
		if err != nil {
			t.Fatal(err)
		}
		d.world = start(t, func(c *Config) { c.Sockets, c.Forward = Sockets{QUIC: there}, forward.Config{Idle: time.Hour} })
		d.addr = at.String()
		for i := range clients {
			var u net.PacketConn
			if u, err = d.net.Host(netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)})).ListenPacket(0); err != nil {
				t.Fatal(err)
			}
			if dress != nil {
				u = dress(d, u)
			}
			c, str := d.overQUICFrom(u, 1, ident.Node(1+i))
			d.clients, d.streams = append(d.clients, c), append(d.streams, str)
		}
		tell(d)
	})
}

// asleep expects that no goroutine waits for so many clients.
func (d *dormitory) asleep(want int) {
	d.Helper()
	synctest.Wait()
	b := make([]byte, 1<<20)
	all := string(b[:runtime.Stack(b, true)])
	waiting := strings.Count(all, "server.(*vigil).datagrams(") + strings.Count(all, "server.(*vigil).stream(")
	if got := int(d.server.sleepers.count.Load()); got != want || waiting != 2*(len(d.clients)-want) {
		d.Errorf("%d of %d clients sleep, and %d goroutines wait; want %d asleep", got, len(d.clients), waiting, want)
	}
}

// within expects that what do does takes so long at most.
func (d *dormitory) within(most time.Duration, what string, do func()) {
	d.Helper()
	begun := time.Now()
	do()
	if took := time.Since(begun); took > most {
		d.Errorf("%s takes %v, want %v at most", what, took, most)
	}
}

// asks has a client ask on the stream.
func (d *dormitory) asks(i int) {
	d.Helper()
	c, str := d.clients[i], d.streams[i]
	b, err := relay.AppendStream(nil, c.Control(relay.Control{Kind: relay.Keepalive}))
	if err == nil {
		_, err = str.Write(b)
	}
	if err != nil {
		d.Fatal(err)
	}
	f, err := c.Receive()
	if a, ok := relay.ReadControl(f, &c.Secret); err != nil || !ok || a.Kind != relay.Alive {
		d.Fatalf("%+v, %v", a, err)
	}
}

func TestNobodyWaitsForAClientAtRestAndWhatItSendsIsHeardAtOnce(t *testing.T) {
	sleeps(t, 2, nil, func(d *dormitory) {
		ch := d.open(d.clients[0], 2)
		d.asleep(0)
		for range 3 {
			time.Sleep(rest)
			d.asleep(2)
			d.within(2*latency, "a datagram", func() { d.carries(d.clients[0], d.clients[1], ch, 1, 1000) })
			time.Sleep(rest)
			d.asleep(2)
			d.within(2*latency, "a question on the stream", func() { d.asks(0) })
			time.Sleep(lively / 2)
			for range 4 { // neither sleeps while something comes
				d.within(2*latency, "a datagram", func() { d.carries(d.clients[0], d.clients[1], ch, 1, 1000) })
				time.Sleep(lively / 2)
				d.asleep(0)
			}
		}
		time.Sleep(5 * time.Minute) // and QUIC's own keepalives
		if n := d.server.Stats().Connections; n != 2 {
			t.Errorf("%d connections are left", n)
		}
	})
}

func TestTheMiddleOfAFrameIsNoTimeToSleep(t *testing.T) {
	sleeps(t, 1, nil, func(d *dormitory) {
		c := d.clients[0]
		b, err := relay.AppendStream(nil, c.Control(relay.Control{Kind: relay.Keepalive}))
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []int{1, 10, glance + 3} {
			time.Sleep(rest)
			d.asleep(1)
			d.streams[0].Write(b[:cut])
			time.Sleep(rest)
			d.asleep(0)
			d.streams[0].Write(b[cut:])
			f, err := c.Receive()
			if a, ok := relay.ReadControl(f, &c.Secret); err != nil || !ok || a.Kind != relay.Alive {
				t.Fatalf("cut after %d bytes: %+v, %v", cut, a, err)
			}
		}
	})
}

// Whenever something comes, before, while or after a client falls asleep, it is heard: at the worst when those who sleep are looked at.
func TestNothingIsOverheardWhileAClientFallsAsleep(t *testing.T) {
	sleeps(t, 2, nil, func(d *dormitory) {
		ch := d.open(d.clients[0], 2)
		for i := range 400 {
			time.Sleep(lively - 20*time.Millisecond + time.Duration(i)*3*time.Millisecond)
			d.within(sweepEvery+2*latency, "a datagram", func() { d.carries(d.clients[0], d.clients[1], ch, 1, 100) })
		}
	})
}

func TestAClientThatSleepsEndsLikeAnyOther(t *testing.T) {
	sleeps(t, 3, nil, func(d *dormitory) {
		time.Sleep(rest)
		d.asleep(3)
		d.server.Revoke(1)
		d.streams[1].Close() // and says no more
		synctest.Wait()
		time.Sleep(10 * latency)
		synctest.Wait()
		if st, n := d.server.Stats(), d.server.sleepers.count.Load(); st.Connections != 1 || st.Clients != 2 || n != 1 || len(d.server.sleepers.at) != 1 {
			t.Errorf("%d connections, %d clients, %d asleep, at %d addresses", st.Connections, st.Clients, n, len(d.server.sleepers.at))
		}
		d.clients = d.clients[2:]
		d.asleep(1)
	})
}

// moving is a socket whose packets leave from another address when it is told so, as if a translator had forgotten it.
type moving struct {
	net.PacketConn
	other net.PacketConn
	moved atomic.Bool
}

// WriteTo implements net.PacketConn.
func (m *moving) WriteTo(b []byte, to net.Addr) (int, error) {
	if m.moved.Load() {
		return m.other.WriteTo(b, to)
	}
	return m.PacketConn.WriteTo(b, to)
}

// ReadFrom implements net.PacketConn.
func (m *moving) ReadFrom(b []byte) (int, net.Addr, error) {
	if m.moved.Load() {
		return m.other.ReadFrom(b)
	}
	n, from, err := m.PacketConn.ReadFrom(b)
	if err != nil && m.moved.Load() {
		return m.other.ReadFrom(b)
	}
	return n, from, err
}

// SetReadDeadline implements net.PacketConn.
func (m *moving) SetReadDeadline(t time.Time) error {
	m.PacketConn.SetReadDeadline(t)
	return m.other.SetReadDeadline(t)
}

// Close implements net.PacketConn.
func (m *moving) Close() error {
	m.other.Close()
	return m.PacketConn.Close()
}

// move does so; nothing comes to the former address any more.
func (m *moving) move() {
	m.moved.Store(true)
	m.PacketConn.Close()
}

func TestAClientWhoseAddressChangesInItsSleepIsHeardWithinASecond(t *testing.T) {
	var m *moving
	sleeps(t, 1, func(d *dormitory, u net.PacketConn) net.PacketConn {
		other, err := d.net.Host(netip.MustParseAddr("198.51.100.77")).ListenPacket(0)
		if err != nil {
			d.Fatal(err)
		}
		m = &moving{PacketConn: u, other: other}
		return m
	}, func(d *dormitory) {
		for round := range 2 {
			time.Sleep(rest)
			d.asleep(1)
			if round == 0 {
				m.move()
			}
			d.within(sweepEvery+20*latency, "a question from elsewhere", func() { d.asks(0) })
		}
		time.Sleep(rest)
		d.within(2*latency, "a question from there again", func() { d.asks(0) })
	})
}

func TestClientsAtOneAddressSleepAndWakeTogether(t *testing.T) {
	var z sleepers
	s := &Server{}
	z.at = map[netip.AddrPort]*overQUIC{}
	at := netip.MustParseAddrPort("198.51.100.9:9")
	all := make([]*overQUIC, 4)
	for i := range all {
		q := &overQUIC{carrier: &carrier{s: s}, at: at, next: z.at[at]}
		all[i], z.at[at] = q, q
		z.count.Add(1)
	}
	for i, q := range []*overQUIC{all[1], all[3], {}, all[1]} { // from the middle, the end that was laid last, one that does not sleep, and again
		z.take(q, false)
		if got, want := len(z.all(nil)), []int{3, 2, 2, 2}[i]; got != want || int(z.count.Load()) != want {
			t.Errorf("after %d: %d sleep, %d are counted; want %d", i, got, z.count.Load(), want)
		}
	}
	z.take(all[0], false)
	z.take(all[2], false)
	if len(z.at) != 0 || z.count.Load() != 0 {
		t.Error("an address without clients is kept")
	}
	z.stir(at)
}
