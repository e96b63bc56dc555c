package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/core/stun"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a relay on real sockets.
type world struct {
	*testing.T
	server *Server
	addr   string
}

func start(t *testing.T, change func(*Config)) *world {
	t.Helper()
	conf, err := caller.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{TLS: conf, Admit: caller.Anyone{}, Workers: 2}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &world{t, s, fmt.Sprintf("127.0.0.1:%d", s.Port())}
}

func (w *world) certificate(tenant ident.Tenant, node ident.Node) tls.Certificate {
	w.Helper()
	c, err := caller.NodeCertificate(tenant, node)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) dial(tenant ident.Tenant, node ident.Node) (*tls.Conn, relay.Welcome) {
	w.Helper()
	conn, welcome, err := caller.DialTLS(w.addr, w.certificate(tenant, node))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	return conn, welcome
}

// socket is a UDP socket that sends to the relay.
func (w *world) socket() *net.UDPConn {
	w.Helper()
	u, err := net.Dial("udp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { u.Close() })
	return u.(*net.UDPConn)
}

// overUDP is a client that has registered and hung up, and is bound over UDP.
func (w *world) overUDP(tenant ident.Tenant, node ident.Node) *caller.Caller {
	w.Helper()
	conn, welcome := w.dial(tenant, node)
	conn.Close()
	return w.bound(caller.OverUDP(welcome, w.socket()))
}

// overTLS is a client that stays on its connection.
func (w *world) overTLS(tenant ident.Tenant, node ident.Node) *caller.Caller {
	w.Helper()
	conn, welcome := w.dial(tenant, node)
	return w.bound(caller.OverStream(welcome, conn))
}

func (w *world) bound(c *caller.Caller) *caller.Caller {
	w.Helper()
	if err := c.Bind(); err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) open(c *caller.Caller, to ident.Node) caller.Channel {
	w.Helper()
	ch, err := c.Open(to)
	if err != nil {
		w.Fatal(err)
	}
	return ch
}

// carries sends a frame from a to b, and expects it there from that node.
func (w *world) carries(a, b *caller.Caller, ch caller.Channel, from ident.Node, size int) {
	w.Helper()
	payload := bytes.Repeat([]byte{byte(size)}, size)
	if err := a.Write(ch.Frame(payload)); err != nil {
		w.Fatal(err)
	}
	f, err := b.Receive()
	if err != nil {
		w.Fatal(err)
	}
	to, tag, got, err := relay.ReadDeliver(f)
	if err != nil || to != b.Client || tag != relay.TagOf(&b.Secret, from) || !bytes.Equal(got, payload) {
		w.Fatal(to, tag, len(got), err)
	}
}

func TestFramesGoBothWaysByEveryPairOfWays(t *testing.T) {
	w := start(t, nil)
	ways := map[string]func(ident.Tenant, ident.Node) *caller.Caller{"UDP": w.overUDP, "TLS": w.overTLS, "QUIC": w.overQUIC}
	node := ident.Node(100)
	for here, make := range ways {
		for there, makePeer := range ways {
			w.T.Run(here+" to "+there, func(t *testing.T) {
				w := &world{t, w.server, w.addr}
				node += 2
				a, b := make(7, node), makePeer(7, node+1)
				ab, ba := w.open(a, node+1), w.open(b, node)
				for _, size := range []int{16, 100, 1100} {
					w.carries(a, b, ab, node, size)
					w.carries(b, a, ba, node+1, size)
				}
			})
		}
	}
	st := w.server.Stats()
	if m := st.Relayed[7]; m.Packets != 9*6 || st.Clients != 18 || st.Channels != 18 || st.Frames[forward.Sent] != 9*6 {
		t.Errorf("%+v", st)
	}
}

func TestAStreamTakesLargeFramesAndManyAtOnce(t *testing.T) {
	w := start(t, nil)
	a, b := w.overTLS(1, 1), w.overTLS(1, 2)
	ch := w.open(a, 2)
	w.carries(a, b, ch, 1, relay.MaxFrame-relay.HeaderSize)
	for range 40 {
		if err := a.Write(ch.Frame(make([]byte, 1400))); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		if f, err := b.Receive(); err != nil || len(f) != 1416 {
			t.Fatal(len(f), err)
		}
	}
}

// What is bound for a connection, or nowhere, needs no room for trains over UDP.
func TestDecidingAboutAFrameTakesNoMemory(t *testing.T) {
	w := start(t, nil)
	w.overTLS(1, 1)
	batch := [][]byte{{0xff}}
	for _, c := range w.server.carriers {
		if n := testing.AllocsPerRun(1000, func() { c.handle(batch) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestWhatNoDatagramHoldsComesOnTheStream(t *testing.T) {
	w := start(t, nil)
	a := w.overTLS(1, 1)
	b, str := w.overQUICWithStream(1, 2)
	if err := a.Write(w.open(a, 2).Frame(make([]byte, 4000))); err != nil {
		t.Fatal(err)
	}
	str.SetReadDeadline(time.Now().Add(caller.Patience))
	f, err := caller.ReadFrame(str)
	if to, _, p, err2 := relay.ReadDeliver(f); err != nil || err2 != nil || to != b.Client || len(p) != 4000 {
		t.Fatal(to, len(p), err, err2)
	}
}

func TestQuestionsOfSTUNAreAnswered(t *testing.T) {
	w := start(t, nil)
	u := w.socket()
	u.Write(stun.AppendRequest(nil, stun.TxID{1, 2, 3}, 0))
	b := make([]byte, 500)
	u.SetReadDeadline(time.Now().Add(caller.Patience))
	n, err := u.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	m, err := stun.Parse(b[:n])
	if err != nil || m.Mapped.String() != u.LocalAddr().String() {
		t.Error(m, err)
	}
}

func TestWhoAsksIsAnsweredFromTheOtherPort(t *testing.T) {
	two := make([]sock.Socket, 2)
	for i := range two {
		u, err := sock.Open(sock.Config{})
		if err != nil {
			t.Fatal(err)
		}
		two[i] = u
	}
	start(t, func(c *Config) { c.Sockets = Sockets{UDP: two[:1], STUN: two[1:]} })
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for i, asked := range two {
		u.WriteToUDPAddrPort(stun.AppendRequest(nil, stun.TxID{byte(i)}, stun.ChangePort), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), asked.Port()))
		b := make([]byte, 500)
		u.SetReadDeadline(time.Now().Add(caller.Patience))
		n, from, err := u.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := stun.Parse(b[:n]); err != nil || m.Tx != (stun.TxID{byte(i)}) || from.Port() != two[1-i].Port() || n > stun.RequestSize {
			t.Error(m, from, err)
		}
	}
}

func TestARevokedNodeIsCutOffAtOnce(t *testing.T) {
	w := start(t, nil)
	a, b := w.overUDP(1, 1), w.overTLS(1, 2)
	ch := w.open(b, 1)
	w.carries(b, a, ch, 2, 50)
	w.server.Revoke(2)
	if _, err := b.Receive(); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && err == nil {
		t.Error(err)
	}
	w.server.Revoke(1)
	if err := a.Write(a.Control(relay.Control{Kind: relay.Keepalive})); err != nil {
		t.Fatal(err)
	}
	f, err := a.Receive()
	if n, ok := relay.ReadNotice(f, &a.Secret); err != nil || !ok || n.Kind != relay.Unknown {
		t.Error(n, err)
	}
	if st := w.server.Stats(); st.Clients != 0 || st.Channels != 0 {
		t.Errorf("%+v", st)
	}
}

func TestWhoIsNotAdmittedLearnsIt(t *testing.T) {
	w := start(t, nil)
	c, err := caller.Certificate("nobody")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", w.addr, caller.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if welcome, err := caller.Register(conn, conn.ConnectionState(), c); err != nil || welcome.Reason != relay.NotPermitted {
		t.Error(welcome.Reason, err)
	}
}

func TestDrainTellsClientsAndWaitsUntilTheyHaveLeft(t *testing.T) {
	w := start(t, nil)
	a, b := w.overUDP(1, 1), w.overTLS(1, 2)
	ch := w.open(a, 2)
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	go func() { done <- w.server.Drain(ctx) }()
	for _, c := range []*caller.Caller{a, b} {
		f, err := c.Receive()
		if q, ok := relay.ReadControl(f, &c.Secret); err != nil || !ok || q.Kind != relay.Bye || q.Reason != relay.Draining {
			t.Fatal(q, ok, err)
		}
	}
	w.carries(a, b, ch, 1, 60) // flows go on
	if _, _, err := caller.DialTLS(w.addr, w.certificate(1, 3)); err == nil {
		t.Error("a draining relay registers")
	}
	for _, c := range []*caller.Caller{a, b} {
		if err := c.Write(c.Control(relay.Control{Kind: relay.Bye})); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
