package wg

import (
	"net/netip"
	"runtime"
	"testing"

	"golang.zx2c4.com/wireguard/conn"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// source is a TUN device and a socket that always have a full batch of the same packet.
type source struct {
	tun.Device
	packet []byte
	ep     conn.Endpoint
}

func (s *source) Read(bufs [][]byte, sizes []int, offset int) (int, error) {
	for i := range bufs {
		sizes[i] = len(s.packet)
	}
	return len(bufs), nil
}

func (s *source) fill(bufs [][]byte, sizes []int, eps []conn.Endpoint) int {
	for i := range bufs {
		sizes[i], eps[i] = len(s.packet), s.ep
	}
	return len(bufs)
}

// hotPath is everything of ours that a packet passes: out through guard and bind, in through bind.
type hotPath struct {
	bufs  [][]byte
	sizes []int
	eps   []conn.Endpoint
	guard *guard
	bind  *bind
	recv  conn.ReceiveFunc
	to    conn.Endpoint
}

func newHotPath(tb testing.TB) *hotPath {
	own, peer := netip.MustParseAddr("10.77.0.5"), netip.MustParseAddr("10.77.0.6")
	to := &conn.StdNetEndpoint{AddrPort: netip.MustParseAddrPort("192.0.2.1:1")}
	src := &source{packet: packet(own, peer, string(make([]byte, 1300))), ep: to}
	b, s := newTestBind()
	s.fill = src.fill
	fns, _, err := b.Open(0)
	if err != nil {
		tb.Fatal(err)
	}
	p := &hotPath{guard: &guard{Device: src}, bind: b, recv: fns[0], to: to,
		bufs: make([][]byte, conn.IdealBatchSize), sizes: make([]int, conn.IdealBatchSize), eps: make([]conn.Endpoint, conn.IdealBatchSize)}
	for i := range p.bufs {
		p.bufs[i] = append([]byte(nil), src.packet...)
	}
	p.guard.sources.Store(&[]netip.Addr{netip.MustParseAddr("fd77::5"), own})
	return p
}

func (p *hotPath) out(tb testing.TB) {
	if n, err := p.guard.Read(p.bufs, p.sizes, 0); n != len(p.bufs) || err != nil || p.sizes[0] == 0 {
		tb.Fatal(n, err)
	}
	if err := p.bind.Send(p.bufs, p.to); err != nil {
		tb.Fatal(err)
	}
}

func (p *hotPath) in(tb testing.TB) {
	if n, err := p.recv(p.bufs, p.sizes, p.eps); n != len(p.bufs) || err != nil {
		tb.Fatal(n, err)
	}
}

func TestNoPacketAllocates(t *testing.T) {
	p := newHotPath(t)
	n := testing.AllocsPerRun(100, func() {
		p.out(t)
		p.in(t)
	})
	t.Logf("FIGURE datapath_allocs %v", n)
	if n != 0 {
		t.Errorf("%v allocations a batch of %d packets", n, len(p.bufs))
	}
	if d := p.guard.foreign.Load(); d != 0 {
		t.Errorf("%d of our own packets dropped", d)
	}
}

// The time of ours a packet, both ways. With the library's own a packet costs some 9,000 ns, both ends together.
func BenchmarkPacketOutAndIn(b *testing.B) {
	p := newHotPath(b)
	b.ReportAllocs()
	for b.Loop() {
		p.out(b)
		p.in(b)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/conn.IdealBatchSize, "ns/packet")
}

// What the library spends on a peer that nobody talks to.
func BenchmarkIdlePeer(b *testing.B) {
	tunnel, err := New(Config{Private: key.NewWGPrivate(), TUN: tun.NewMemory("cvlan0", tun.DefaultMTU)})
	if err != nil {
		b.Fatal(err)
	}
	defer tunnel.Close()
	heap, routines := footprint()
	n := 0
	for b.Loop() {
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		err := tunnel.SetPeer(Peer{key.NewWGPrivate().Public(), []netip.Prefix{netip.PrefixFrom(addr, 32)}, nobody(2)})
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	after, running := footprint()
	b.ReportMetric(float64(after-heap)/float64(n), "B/peer")
	b.ReportMetric(float64(running-routines)/float64(n), "goroutines/peer")
}

// footprint is heap and stacks in use, in bytes, and how many goroutines there are.
func footprint() (bytes uint64, routines int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse, runtime.NumGoroutine()
}
