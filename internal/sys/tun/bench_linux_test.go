package tun

import (
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// load is what the benchmarks move: datagrams of size bytes, count to a train.
type load struct {
	name        string
	size, count int
}

var loads = []load{{"single1392", 1392, 1}, {"train44x1392", 1392, 44}, {"single128", 128, 1}, {"train44x128", 128, 44}}

// ready is how many packets or trains of the host lie ready for BenchmarkRead, well below what the kernel queues.
const ready = 64

// BenchmarkRead measures what a packet costs that the host sends.
func BenchmarkRead(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			d := raised(b, Config{MTU: 1420})
			q, desk, say := d.Queues()[0], newDesk(), speaker(b, l)
			packets, read := 0, 0
			var watch stopwatch
			for b.Loop() {
				for range ready {
					say()
				}
				watch.start(b)
				for got := 0; got < ready; {
					n, err := q.Read(desk.buf, desk.supers)
					if err != nil {
						b.Fatal(err)
					}
					got += n
					read++
				}
				watch.stop(b)
				packets += ready * l.count
			}
			watch.report(b, packets)
			b.ReportMetric(float64(packets/l.count)/float64(read), "supers/read")
		})
	}
}

// speaker returns what sends one super into the interface.
func speaker(b *testing.B, l load) func() {
	c := dial(b, "10.9.0.2:9")
	raw, err := c.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, l.size)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20)
	})
	if err != nil {
		b.Skipf("UDP_SEGMENT: %v", err)
	}
	data := make([]byte, l.size*l.count)
	return func() {
		if _, err := c.Write(data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite measures what a packet costs that goes into the host, up to a socket's queue, in one piece and in pieces.
func BenchmarkWrite(b *testing.B) {
	for _, l := range loads {
		for _, pieces := range []bool{false, true} {
			if pieces && l.count == 1 {
				continue
			}
			b.Run(l.name+strings.Repeat("inPieces", map[bool]int{true: 1}[pieces]), func(b *testing.B) {
				d := raised(b, Config{MTU: 1420})
				c := listener(b)
				run := train(l, c.LocalAddr().(*net.UDPAddr).Port, pieces)
				runs := slices.Repeat([]offload.Run{run}, 64)
				packets := 0
				var watch stopwatch
				for b.Loop() {
					watch.start(b)
					if err := d.Queues()[0].Write(runs); err != nil {
						b.Fatal(err)
					}
					watch.stop(b)
					packets += len(runs) * l.count
					drain(b, c)
				}
				if s := d.Stats(); s.Refused != 0 {
					b.Fatalf("%+v", s)
				}
				watch.report(b, packets)
			})
		}
	}
}

func listener(b *testing.B) *net.UDPConn {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	raw, err := c.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1)
		unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	})
	return c
}

// drain empties the socket's queue.
func drain(b *testing.B, c *net.UDPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, offload.MaxPacket)
	raw.Read(func(fd uintptr) bool {
		for err == nil {
			_, _, err = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
		}
		return true
	})
}

// train makes a run to port: in one part, or the first packet whole and then each payload.
func train(l load, port int, pieces bool) offload.Run {
	p := datagram(port, make([]byte, l.size*l.count))
	if l.count == 1 {
		return offload.Run{Layout: unsummed, Parts: [][]byte{p}}
	}
	layout := offload.Layout{Protocol: offload.UDP, Segment: l.size, Headers: 28, Partial: true, Start: 20, Offset: 6}
	if !pieces {
		return offload.Run{Layout: layout, Parts: [][]byte{p}}
	}
	return offload.Run{Layout: layout, Parts: append([][]byte{p[:28+l.size]}, slices.Collect(slices.Chunk(p[28+l.size:], l.size))...)}
}

// stopwatch adds up the processor time of the benchmark's thread, which ownNetwork has locked: others on the machine do not count.
type stopwatch struct{ since, total int64 } // nanoseconds

func (w *stopwatch) start(b *testing.B) { w.since = threadTime(b) }
func (w *stopwatch) stop(b *testing.B)  { w.total += threadTime(b) - w.since }

func (w *stopwatch) report(b *testing.B, packets int) {
	b.ReportMetric(float64(w.total)/float64(packets), "cpu-ns/packet")
	b.ReportMetric(0, "ns/op")
}

func threadTime(b *testing.B) int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return t.Nano()
}
