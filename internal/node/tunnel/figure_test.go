package tunnel_test

import (
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// figure prints a number in the form that scripts look for.
func figure(t *testing.T, name string, value float64, unit string) {
	t.Helper()
	t.Logf("FIGURE %s %.2f %s", name, value, unit)
}

// hose is a queue that has the same to read each time it is opened, and counts what is written to it.
type hose struct {
	tun.Queue
	all     []offload.Super
	left    int
	packets int
	runs    int
}

func (h *hose) Read(buf []byte, supers []offload.Super) (n int, err error) {
	if h.left == 0 {
		return 0, io.EOF
	}
	at := tun.Headroom
	for n < len(supers) && h.left > 0 && len(buf)-at >= offload.MaxPacket+tun.Tailroom {
		s := &h.all[len(h.all)-h.left]
		size := copy(buf[at:], s.Packet)
		supers[n] = offload.Super{Layout: s.Layout, Packet: buf[at : at+size]}
		at = (at + size + tun.Between + 63) &^ 63
		n++
		h.left--
	}
	return n, nil
}

func (h *hose) Write(runs []offload.Run) error {
	h.runs += len(runs)
	for i := range runs {
		h.packets += len(runs[i].Parts)
	}
	return nil
}

// pipe is a socket that gives back what was sent, as if it had come from somebody.
type pipe struct {
	sock.Socket
	from, to netip.AddrPort
	held     []sock.Train
	n        int
}

func (p *pipe) Send(trains []sock.Train) error {
	for i := range trains {
		t := &p.held[p.n]
		t.Data, t.Segment, t.Remote, t.Local = append(t.Data[:0], trains[i].Data...), trains[i].Segment, p.from, p.to.Addr()
		p.n++
	}
	return nil
}

func (p *pipe) Receive(trains []sock.Train) (int, error) {
	if p.n == 0 {
		return 0, net.ErrClosed
	}
	n := min(p.n, len(trains))
	for i := range n {
		data := append(trains[i].Data[:0], p.held[i].Data...)
		trains[i] = p.held[i]
		trains[i].Data = data
	}
	p.n = 0
	return n, nil
}

// load is a train of TCP, and packets of as many flows as a busy host has.
func load(from, to netip.Addr) []offload.Super {
	p := packet(from, to, "")
	tcp := append(p, 0x10, 0, 0x20, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0x50, 0x10, 0x40, 0, 0, 0, 0, 0)
	tcp[9] = 6
	all := []offload.Super{{Packet: append(tcp, make([]byte, 45*1340)...), Layout: offload.Layout{
		Protocol: offload.TCP, Segment: 1340, Headers: 40, Partial: true, Start: 20, Offset: 16,
	}}}
	for range 20 {
		all = append(all, offload.Super{Packet: packet(from, to, string(make([]byte, 150)))})
	}
	return all
}

const packetsOfLoad = 45 + 20

func TestFigureAllocationsAPacket(t *testing.T) {
	a, b := pair(t)
	a.reaches(t, b, 10*time.Second)
	b.reaches(t, a, 10*time.Second)
	source, sink := &hose{all: load(a.addr, b.addr)}, &hose{}
	wire := &pipe{from: a.at, to: b.at, held: make([]sock.Train, 64)}
	for i := range wire.held {
		wire.held[i].Data = make([]byte, 0, sock.MaxTrain)
	}
	out, in := a.Outbound(source, wire), b.Inbound(wire, sink)
	const rounds = 200
	n := testing.AllocsPerRun(rounds, func() {
		source.left = len(source.all)
		if err := out(); err != io.EOF {
			t.Fatal(err)
		}
		if err := in(); err != net.ErrClosed {
			t.Fatal(err)
		}
	})
	figure(t, "engine_allocs", n/packetsOfLoad, "allocations/packet")
	if n != 0 {
		t.Errorf("%v allocations for %d packets", n, packetsOfLoad)
	}
	if want := (rounds + 1) * packetsOfLoad; sink.packets != want {
		t.Errorf("%d of %d packets have arrived: %v, %v", sink.packets, want, a.State().Drops, b.State().Drops)
	}
}

// strangers returns the configurations of n peers as a map has them: two addresses, two places.
func strangers(n int) []tunnel.PeerConfig {
	all := make([]tunnel.PeerConfig, n)
	for i := range all {
		c := &all[i]
		rand.Read(c.Key[:])
		four, six := netip.AddrFrom4([4]byte{10, 78, byte(i >> 8), byte(i)}), netip.AddrFrom16([16]byte{0: 0xfd, 14: byte(i >> 8), 15: byte(i)})
		c.Allowed = []netip.Prefix{netip.PrefixFrom(four, 32), netip.PrefixFrom(six, 128)}
		c.Candidates = []netip.AddrPort{netip.AddrPortFrom(four, 41641), netip.AddrPortFrom(six, 41641)}
	}
	return all
}

func TestFigureBytesOfAPeerThatNeverSpoke(t *testing.T) {
	a, _ := pair(t)
	const n, goal = 10_000, 1024
	before := heap()
	for _, c := range strangers(n) {
		if err := a.SetPeer(c); err != nil {
			t.Fatal(err)
		}
	}
	bytes := float64(heap()-before) / n
	figure(t, "engine_peer_bytes", bytes, "bytes")
	if bytes > goal {
		t.Errorf("a peer takes %.0f bytes, the goal is %d", bytes, goal)
	}
	runtime.KeepAlive(a)
}

// heap is how much is in use, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
