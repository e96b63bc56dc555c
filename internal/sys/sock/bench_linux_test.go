package sock

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The figures are CPU time of the process, so that other work on the machine takes little part in them. No thread is locked: that makes
// giving way expensive (see pace).

// load is what a benchmark moves: trains of that many datagrams of that size.
type load struct{ size, datagrams int }

func (l load) String() string { return fmt.Sprintf("%dx%d", l.datagrams, l.size) }

// way is one way to the kernel.
type way struct {
	name string
	open func(Config) (Socket, error)
}

func ways() []way {
	return []way{
		{"plain", openPlain},
		{"mmsg", Open},
		{"mmsg-told", func(c Config) (Socket, error) { return openCalls(c, toldSendmmsg, toldRecvmmsg) }},
	}
}

func openCalls(c Config, send, receive call) (Socket, error) {
	u, err := open(c, unix.Socket)
	if err == nil {
		u.sendmmsg, u.recvmmsg = send, receive
	}
	return u, err
}

// each runs a benchmark for every way and load.
func each(b *testing.B, run func(b *testing.B, w way, l load)) {
	for _, l := range []load{{1400, 1}, {128, 1}, {1400, 44}, {128, 44}} {
		for _, w := range ways() {
			b.Run(fmt.Sprintf("%v/%s", l, w.name), func(b *testing.B) {
				run(b, w, l)
			})
		}
	}
}

// BenchmarkSend sends over a veth to a machine that drops everything on arrival.
func BenchmarkSend(b *testing.B) {
	each(b, func(b *testing.B, w way, l load) {
		a, to := openAside(b, w)
		trains := l.trains(to)
		n, from := 0, cpuTime()
		for b.Loop() {
			a.Send(trains)
			n++
		}
		perDatagram(b, cpuTime()-from, n*Batch*l.datagrams)
		if s := a.Stats(); s.NoBuffer+s.TooBig+s.Unreachable+s.Refused != 0 {
			b.Fatalf("%+v", s)
		}
	})
}

// BenchmarkLoopback sends to a socket whose buffer is full: the way there is part of it.
func BenchmarkLoopback(b *testing.B) {
	each(b, func(b *testing.B, w way, l load) {
		a, z := openBench(b, w.open), openBench(b, Open)
		trains := l.trains(netip.AddrPortFrom(loopback, z.Port()))
		for z.Stats().Overflow == 0 {
			a.Send(trains)
		}
		n, from := 0, cpuTime()
		for b.Loop() {
			a.Send(trains)
			n++
		}
		perDatagram(b, cpuTime()-from, n*Batch*l.datagrams)
	})
}

// BenchmarkReceive measures the receiving calls only.
func BenchmarkReceive(b *testing.B) {
	each(b, func(b *testing.B, w way, l load) {
		a, z := openBench(b, Open), openBench(b, w.open)
		trains, got := l.trains(netip.AddrPortFrom(loopback, z.Port())), make([]Train, Batch)
		for i := range got {
			got[i].Data = make([]byte, MaxTrain)
		}
		n, took := 0, time.Duration(0)
		for b.Loop() {
			a.Send(trains)
			from := cpuTime()
			for left := Batch * l.datagrams; left > 0; {
				k, err := z.Receive(got)
				if err != nil {
					b.Fatal(err)
				}
				for i := range got[:k] {
					left -= got[i].Datagrams()
				}
			}
			took += cpuTime() - from
			n++
		}
		perDatagram(b, took, n*Batch*l.datagrams)
	})
}

// trains makes Batch of them.
func (l load) trains(to netip.AddrPort) []Train {
	all := make([]Train, Batch)
	for i := range all {
		all[i] = Train{Data: make([]byte, l.size*l.datagrams), Segment: l.size, Remote: to}
	}
	return all
}

func openBench(b *testing.B, open func(Config) (Socket, error)) Socket {
	s, err := open(Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func cpuTime() time.Duration {
	var t unix.Timespec
	unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

func perDatagram(b *testing.B, took time.Duration, datagrams int) {
	b.ReportMetric(float64(took.Nanoseconds())/float64(datagrams), "ns/datagram")
	b.ReportMetric(0, "ns/op")
}

// The same calls with the scheduler told.

func toldSendmmsg(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, e := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), 0, 0, 0)
	return int(n), e
}

func toldRecvmmsg(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
	n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(m))), uintptr(len(m)), 0, 0, 0)
	return int(n), e
}

// BenchmarkOurs is what the package itself takes of a message: the kernel does nothing.
func BenchmarkOurs(b *testing.B) {
	local := netip.MustParseAddr("192.0.2.1")
	u := openBench(b, Open).(*udp)
	u.sendmmsg = func(_ uintptr, m []unix.Mmsghdr) (int, unix.Errno) { return len(m), 0 }
	told := join(gro(1400), info6("::ffff:192.0.2.1"))
	u.recvmmsg = func(_ uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
		for i := range m {
			m[i].Len = 44 * 1400
			m[i].Hdr.SetControllen(len(told))
		}
		return len(m), 0
	}
	for i := range u.in.controls {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&u.in.controls[i])), controlRoom), told)
		u.in.names[i] = name{Family: unix.AF_INET6}
		u.in.names[i].set(netip.AddrPortFrom(local, 4500), false)
	}
	trains := load{1400, 44}.trains(netip.AddrPortFrom(local, 4500))
	for i := range trains {
		trains[i].Local = local
	}
	for _, n := range []int{1, Batch} {
		for what, move := range map[string]func(){
			"Send":    func() { u.Send(trains[:n]) },
			"Receive": func() { u.Receive(trains[:n]) },
		} {
			b.Run(fmt.Sprintf("%s/%d", what, n), func(b *testing.B) {
				from := cpuTime()
				for b.Loop() {
					move()
				}
				b.ReportMetric(float64((cpuTime()-from).Nanoseconds())/float64(b.N*n), "ns/message")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
