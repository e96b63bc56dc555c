package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

// counts waits until a drop has been counted so often.
func (w *world) counts(d forward.Drop, want uint64) {
	w.Helper()
	var n uint64
	for rest := time.Millisecond; rest < caller.Patience; rest *= 2 { // seldom: each look makes objects, which a story counts
		if n = w.server.Stats().Frames[d]; n >= want {
			return
		}
		<-time.After(rest)
	}
	w.Fatalf("%v is counted %d times, want %d", d, n, want)
}

// silent expects that nothing comes.
func (w *world) silent(u *net.UDPConn) {
	w.Helper()
	u.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := u.Read(make([]byte, 2000)); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.Error("an answer of", n, "bytes", err)
	}
}

func TestForgedFramesGoNowhere(t *testing.T) {
	w := start(t, nil)
	conn, welcome := w.dial(1, 1)
	conn.Close()
	home := w.socket()
	a, b := w.bound(caller.OverUDP(welcome, home)), w.overUDP(1, 2)
	ch := w.open(a, 2)
	good := ch.Frame(make([]byte, 64))

	thief := w.socket()
	thief.Write(good) // from elsewhere
	w.counts(forward.DropElsewhere, 1)
	bad := bytes.Clone(good)
	bad[20] ^= 1
	a.Write(bad)
	w.counts(forward.DropForged, 1)
	a.Write(good[:31])
	w.counts(forward.DropMalformed, 1)
	bind := (&relay.Control{Kind: relay.Bind, Client: a.Client, Transaction: 99}).Append(nil, &b.Secret)
	thief.Write(bind) // a's number under b's secret
	w.counts(forward.DropForged, 2)
	w.silent(thief)
	w.carries(a, b, ch, 1, 64)
}

// heap is what lives after a collection, and what was ever made.
func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

func TestStrangersGetShortAnswersAndLeaveNothing(t *testing.T) {
	w := start(t, nil)
	u := w.socket()
	lost := caller.Channel{Number: 77}.Frame(make([]byte, 1000))
	u.Write(lost)
	b := make([]byte, 2000)
	u.SetReadDeadline(time.Now().Add(caller.Patience))
	n, err := u.Read(b)
	if err != nil || n != relay.NoticeSize {
		t.Fatal(n, err)
	}
	if notice, ok := relay.ReadNotice(b[:n], nil); !ok || notice.Kind != relay.Unknown || notice.Number != 77 {
		t.Error(notice, ok)
	}
	quiet, routines := heap(), runtime.NumGoroutine()
	const rounds = 3000
	for range rounds {
		u.Write(lost)
		u.Write([]byte{relay.Type})
		u.Write([]byte{0x0c})
	}
	w.counts(forward.DropUnknown, 1000)
	loud := heap()
	if made := loud.Mallocs - quiet.Mallocs; made >= 3*rounds {
		t.Errorf("%d objects were made for %d datagrams", made, 3*rounds)
	}
	if grown := int64(loud.HeapAlloc) - int64(quiet.HeapAlloc); grown > 256<<10 {
		t.Errorf("%d bytes more are kept", grown)
	}
	for range rounds {
		u.Write([]byte{0xff, 1, 2}) // to QUIC
	}
	if st := w.server.Stats(); st.Clients != 0 || st.Connections != 0 || runtime.NumGoroutine() > routines {
		t.Errorf("%+v, and %d goroutines instead of %d", st, runtime.NumGoroutine(), routines)
	}
	answers := 0
	u.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	for {
		if _, err := u.Read(b); err != nil {
			break
		}
		answers++
	}
	if answers > 1500 {
		t.Error(answers, "notices within a second")
	}
}

func TestAPeerThatTakesNothingLosesFramesAndNothingElse(t *testing.T) {
	w := start(t, nil)
	a, slow, good := w.overUDP(1, 1), w.overTLS(1, 2), w.overUDP(1, 3)
	toSlow, toGood := w.open(a, 2), w.open(a, 3)
	frame := toSlow.Frame(make([]byte, 1400))
	for range 20_000 { // 28 MB, more than the system's buffers hold
		a.Write(frame)
	}
	w.counts(forward.DropQueueFull, 1)
	w.carries(a, good, toGood, 1, 100)
	if _, err := slow.Read(); err != nil { // it takes again, and gets what was under way
		t.Error(err)
	}
}

// deaf is a socket that hears nothing any more once it is told so.
type deaf struct {
	net.PacketConn
	now atomic.Bool
}

// ReadFrom implements net.PacketConn.
func (d *deaf) ReadFrom(b []byte) (n int, from net.Addr, err error) {
	for {
		if n, from, err = d.PacketConn.ReadFrom(b); err != nil || !d.now.Load() {
			return n, from, err
		}
	}
}

// A peer that takes nothing has two full boxes kept for it, and that not for ever, by whichever way it came and whatever it says meanwhile.
func TestWhoTakesNothingIsCut(t *testing.T) {
	at := netip.MustParseAddrPort("198.51.100.2:443")
	overTLS := func(w *world, h *netsim.Host, node ident.Node) *caller.Caller {
		raw, err := h.Dial(w.Context(), at)
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { raw.Close() })
		conn := tls.Client(raw, caller.ClientTLS())
		if err := conn.HandshakeContext(w.Context()); err != nil {
			w.Fatal(err)
		}
		welcome, err := caller.Register(conn, conn.ConnectionState(), w.certificate(1, node))
		if err != nil {
			w.Fatal(err)
		}
		return w.bound(caller.OverStream(welcome, conn))
	}
	overQUIC := func(w *world, h *netsim.Host, node ident.Node) (*caller.Caller, func()) {
		u, err := h.ListenPacket(0)
		if err != nil {
			w.Fatal(err)
		}
		d := &deaf{PacketConn: u}
		c, _ := w.overQUICFrom(d, 1, node)
		return c, func() { d.now.Store(true) }
	}
	for name, longest := range map[string]time.Duration{"TLS": stuck + time.Second, "QUIC": 3*stuck + stuck/2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := netsim.New(1)
				n.Weather(netsim.Conditions{Latency: 5 * time.Millisecond})
				host := n.Host(at.Addr())
				udp, err := host.ListenPacket(at.Port())
				if err != nil {
					t.Fatal(err)
				}
				tcp, err := host.Listen(at.Port())
				if err != nil {
					t.Fatal(err)
				}
				w := start(t, func(c *Config) { c.Sockets = Sockets{QUIC: udp, TCP: tcp} })
				w.addr = at.String()
				a := overTLS(w, n.Host(netip.MustParseAddr("198.51.100.3")), 1)
				there := n.Host(netip.MustParseAddr("198.51.100.4"))
				slow, deafen := (*caller.Caller)(nil), func() {}
				if name == "TLS" {
					slow = overTLS(w, there, 2)
				} else {
					slow, deafen = overQUIC(w, there, 2)
				}
				ch := w.open(a, 2)
				w.carries(a, slow, ch, 1, 1000)
				deafen()
				for range 1000 {
					if err := a.Write(ch.Frame(make([]byte, 1000))); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(stuck / 2)
				if st := w.server.Stats(); st.Connections != 2 || st.Frames[forward.DropQueueFull] == 0 {
					t.Errorf("%d connections, %d frames too many", st.Connections, st.Frames[forward.DropQueueFull])
				}
				begin := time.Now()
				for ; w.server.Stats().Connections > 1 && time.Since(begin) < 2*time.Minute; time.Sleep(time.Second) {
					slow.Write(slow.Control(relay.Control{Kind: relay.Keepalive}))
				}
				if took := stuck/2 + time.Since(begin); took > longest {
					t.Errorf("it is cut after %v", took)
				}
			})
		})
	}
}

func TestGarbageOnAStreamEndsIt(t *testing.T) {
	w := start(t, nil)
	for _, garbage := range [][]byte{{0, 3, 1, 2, 3}, {0xff, 0xff}, append([]byte{0, 16}, make([]byte, 16)...)} {
		conn, _ := w.dial(1, 1)
		conn.Write(garbage)
		conn.SetReadDeadline(time.Now().Add(caller.Patience))
		if _, err := caller.ReadFrame(conn); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	}
	raw, err := tls.Dial("tcp", w.addr, caller.ClientTLS())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.Write([]byte{0xff, 0xff, 1})
	raw.SetReadDeadline(time.Now().Add(caller.Patience))
	if _, err := raw.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestWhoSendsToNobodyOnAConnectionDoesNotKeepTheOwnerBusy(t *testing.T) {
	w := start(t, nil)
	a, b := w.overTLS(1, 1), w.overUDP(1, 2)
	lost := w.open(a, 2).Frame(make([]byte, 16))
	b.Write(b.Control(relay.Control{Kind: relay.Bye}))
	for w.server.Stats().Clients > 1 {
	}
	const frames = 20_000
	began := time.Now()
	for range frames {
		if err := a.Write(lost); err != nil {
			t.Fatal(err)
		}
	}
	w.counts(forward.DropGone, frames)
	told := 0
	a.Write(a.Control(relay.Control{Kind: relay.Keepalive}))
	for {
		f, err := a.Read()
		if err != nil {
			t.Fatal(err)
		}
		if kind, _ := relay.KindOf(f); kind == relay.Alive {
			break // all that came before it has been answered
		}
		told++
	}
	if most := 150 + int(time.Since(began).Seconds()*1000); told == 0 || told > most {
		t.Errorf("%d notices for %d frames, want %d at most", told, frames, most)
	}
}

func TestGarbageInDatagramsIsCountedAndNothingElse(t *testing.T) {
	w := start(t, nil)
	a, b := w.overQUIC(1, 1), w.overUDP(1, 2)
	ch := w.open(a, 2)
	garbage := [][]byte{{1}, {relay.Type}, make([]byte, 40), {relay.Type, 0xff, 15: 0}, bytes.Clone(ch.Frame(make([]byte, 64)))[:relay.MinData-1]}
	for _, g := range garbage {
		if err := a.Write(g); err != nil {
			t.Fatal(err)
		}
	}
	w.counts(forward.DropMalformed, uint64(len(garbage)))
	other := caller.Channel{Number: w.open(b, 1).Number}
	a.Write(other.Frame(make([]byte, 64))) // b's channel
	w.counts(forward.DropElsewhere, 1)
	w.carries(a, b, ch, 1, 64)
}

// mute opens a connection from an address of this machine and says nothing on it.
func (w *world) mute(from string) net.Conn {
	w.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.Dial("tcp", w.addr)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	return conn
}

// turnedAway expects that the relay has closed a connection.
func (w *world) turnedAway(conn net.Conn) {
	w.Helper()
	conn.SetReadDeadline(time.Now().Add(caller.Patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		w.Error("it is let in:", err)
	}
}

func TestWhoConnectsAndSaysNothingKeepsNobodyOut(t *testing.T) {
	w := start(t, func(c *Config) { c.PerSource, c.Handshakes = 4, 6 })
	for range 4 {
		w.mute("127.0.0.2")
	}
	w.turnedAway(w.mute("127.0.0.2"))
	others := []net.Conn{w.mute("127.0.0.3"), w.mute("127.0.0.3")}
	w.turnedAway(w.mute("127.0.0.4")) // six are enough
	for _, conn := range others {
		conn.Close()
	}
	for end := time.Now().Add(caller.Patience); ; { // until the relay has seen them leave
		conn, _, err := caller.DialTLS(w.addr, w.certificate(1, 1))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("there is no room again:", err)
		}
	}
}

func TestANewRegistrationEndsTheOldConnection(t *testing.T) {
	w := start(t, nil)
	old := w.overTLS(1, 1)
	fresh := w.overTLS(1, 1)
	if _, err := old.Read(); err == nil {
		t.Error("the old connection lives")
	}
	peer := w.overUDP(1, 2)
	w.carries(peer, fresh, w.open(peer, 1), 2, 100)
}

func TestWhatATenantSentSurvivesItsSlot(t *testing.T) {
	w := start(t, func(c *Config) { c.Forward = forward.Config{Tenants: 1} })
	a, b := w.overUDP(1, 1), w.overUDP(1, 2)
	w.carries(a, b, w.open(a, 2), 1, 84)
	for _, c := range []*caller.Caller{a, b} {
		c.Write(c.Control(relay.Control{Kind: relay.Bye}))
	}
	for w.server.Stats().Clients > 0 {
	}
	other := w.overUDP(2, 1)
	other.Write(other.Control(relay.Control{Kind: relay.Bye}))
	for w.server.Stats().Clients > 0 {
	}
	c, d := w.overUDP(1, 1), w.overUDP(1, 2)
	w.carries(c, d, w.open(c, 2), 1, 84)
	if m := w.server.Stats().Relayed[1]; m != (forward.Meter{Bytes: 200, Packets: 2}) {
		t.Errorf("%+v", m)
	}
}

func TestTrainsStayTogether(t *testing.T) {
	w := start(t, nil)
	a, b := w.overUDP(1, 1), w.overUDP(1, 2)
	ch := w.open(a, 2)
	whole := func() (all []byte) {
		for range 10 {
			all = append(all, ch.Frame(make([]byte, 100))...)
		}
		return append(all, ch.Frame(make([]byte, 50))...)
	}
	w.server.lock.RLock()
	_, seat := w.server.table.SeatOf(a.Client)
	from := seat.Place.AddrPort()
	w.server.lock.RUnlock()
	alone := newWorker(w.server, nil, w.server.books[0], false)
	decide := func(trains ...sock.Train) []sock.Train {
		copy(alone.in[:], trains)
		alone.decide(w.server.clock.Now(), len(trains))
		alone.out.join()
		return alone.out.trains
	}
	one := whole()
	if out := decide(sock.Train{Data: one, Segment: 116, Remote: from}); len(out) != 1 || out[0].Segment != 116 || len(out[0].Data) != len(one) {
		t.Errorf("%d trains", len(out))
	}
	one = whole()
	one[5*116+20] ^= 1
	if out := decide(sock.Train{Data: one, Segment: 116, Remote: from}); len(out) != 2 || len(out[0].Data) != 5*116 || len(out[1].Data) != 4*116+66 {
		t.Errorf("%d trains around a forged frame", len(out))
	}
	var apart []sock.Train
	for i := range 5 {
		f := ch.Frame(bytes.Repeat([]byte{byte(i)}, 100))
		apart = append(apart, sock.Train{Data: f, Segment: len(f), Remote: from})
	}
	f := ch.Frame(make([]byte, 30))
	apart = append(apart, sock.Train{Data: f, Segment: len(f), Remote: from})
	out := decide(apart...)
	if len(out) != 2 || len(out[0].Data) != 5*116 || out[0].Segment != 116 || out[0].Data[3*116+50] != 3 || len(out[1].Data) != 46 {
		t.Errorf("%d trains of frames that came apart", len(out))
	}
	for _, train := range out {
		if to, tag, _, err := relay.ReadDeliver(train.Data[:train.Segment]); err != nil || to != b.Client || tag != relay.TagOf(&b.Secret, 1) {
			t.Error(to, tag, err)
		}
	}
	again := func() {
		for i := range apart {
			relay.PutData(apart[i].Data, ch.Number, ch.Key)
		}
		if len(decide(apart...)) != 2 {
			t.Error("not forwarded")
		}
	}
	if n := testing.AllocsPerRun(100, again); n != 0 {
		t.Error(n, "allocations")
	}
}

func TestAServerThatHasEndedSaysSo(t *testing.T) {
	conf, err := caller.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{TLS: conf, Admit: caller.Anyone{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
	s.Revoke(ident.Node(1))
	s.owner.call(func(*forward.Machine, mono.Time, *forward.Out) { t.Error("called") })
	if st := s.Stats(); st.Clients != 0 {
		t.Errorf("%+v", st)
	}
}
