package tun

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// patience bounds a conversation over the bridge.
const patience = 20 * time.Second

// host is a thread in a network of its own, with a device.
type host struct {
	do     chan func()
	device Device
}

// newHost makes one with the addresses 10.9.0.n and fd09::n.
func newHost(t *testing.T, n string, c Config) *host {
	t.Helper()
	h := &host{do: make(chan func())}
	go func() {
		runtime.LockOSThread() // for good: the thread, and with it the network, ends with the goroutine
		for f := range h.do {
			f()
		}
	}()
	t.Cleanup(func() { close(h.do) })
	var refusal error
	h.run(func() { refusal = unix.Unshare(unix.CLONE_NEWNET) })
	if refusal != nil {
		t.Skipf("needs root for a network namespace: %v", refusal)
	}
	if _, err := os.Stat(clonePath); err != nil {
		t.Skipf("needs %s: %v", clonePath, err)
	}
	h.run(func() {
		if h.device, refusal = Open(c); refusal == nil {
			raise(t, h.device.Name(), "10.9.0."+n+"/24", "fd09::"+n+"/64")
		}
	})
	if refusal != nil {
		t.Fatal(refusal)
	}
	return h
}

// run runs f in the host's network; what it opens stays there.
func (h *host) run(f func()) {
	done := make(chan struct{})
	h.do <- func() { defer close(done); f() }
	<-done
}

// census counts what a bridge carried.
type census struct {
	singles, trains, partial, longest atomic.Int64
}

// note counts what was read.
func (c *census) note(s *offload.Super) {
	if s.Protocol == offload.None {
		c.singles.Add(1)
		if s.Partial {
			c.partial.Add(1)
		}
		return
	}
	c.trains.Add(1)
	c.longest.Store(max(c.longest.Load(), int64((len(s.Packet)-s.Headers+s.Segment-1)/s.Segment)))
}

// bridge carries everything between two devices until the test ends: trains as they come, or cut into the packets that they stand for.
func bridge(t *testing.T, a, b Device, cut bool) *census {
	c := new(census)
	var group sync.WaitGroup
	carry := func(from, to Device) {
		desk := newDesk()
		for {
			n, err := from.Queues()[0].Read(desk.buf, desk.supers)
			if err != nil {
				if !errors.Is(err, os.ErrClosed) {
					t.Error(err)
				}
				return
			}
			var runs []offload.Run
			for i := range desk.supers[:n] {
				s := &desk.supers[i]
				c.note(s)
				if !cut {
					runs = append(runs, offload.Run{Layout: s.Layout, Parts: [][]byte{s.Packet}})
					continue
				}
				for _, p := range split(*s) {
					runs = append(runs, offload.Run{Parts: [][]byte{p}})
				}
			}
			if err := to.Queues()[0].Write(runs); err != nil {
				return
			}
		}
	}
	group.Go(func() { carry(a, b) })
	group.Go(func() { carry(b, a) })
	t.Cleanup(func() {
		a.Close()
		b.Close()
		group.Wait()
		for _, d := range []Device{a, b} {
			if s := d.Stats(); s.Skipped != 0 || s.Refused != 0 {
				t.Errorf("%s: %+v", d.Name(), s)
			}
		}
	})
	return c
}

// talk sends data over one TCP connection from a to b and returns what arrived.
func talk(t *testing.T, a, b *host, network, at string, mss int, data []byte) []byte {
	t.Helper()
	var l net.Listener
	var err error
	b.run(func() { l, err = net.Listen(network, at) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan []byte, 1)
	go func() {
		defer close(heard)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		all, _ := io.ReadAll(c)
		heard <- all
	}()
	dialer := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) (err error) {
		raw.Control(func(fd uintptr) {
			if mss > 0 {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, mss)
			}
		})
		return err
	}}
	var c net.Conn
	a.run(func() { c, err = dialer.Dial(network, l.Addr().String()) })
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(data); err != nil {
		t.Fatal(err)
	}
	c.Close()
	return <-heard
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestTCPComesThroughInTrains(t *testing.T) {
	data := randomBytes(10 << 20)
	for name, at := range map[string]string{"tcp4": "10.9.0.2:0", "tcp6": "[fd09::2]:0"} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t, "1", Config{}), newHost(t, "2", Config{})
			c := bridge(t, a.device, b.device, false)
			if got := talk(t, a, b, name, at, 0, data); !bytes.Equal(got, data) {
				t.Errorf("%d of %d bytes arrived, or others", len(got), len(data))
			}
			if packets := int64(len(data) / DefaultMTU); c.trains.Load() == 0 || c.singles.Load() > packets/2 {
				t.Errorf("%d trains, %d packets by themselves", c.trains.Load(), c.singles.Load())
			}
			t.Logf("%d trains of at most %d, %d packets by themselves, %d of these unsummed", c.trains.Load(), c.longest.Load(), c.singles.Load(), c.partial.Load())
		})
	}
}

// Trains that are cut by their layout give packets that the other kernel takes, checksums included.
func TestLayoutsSayHowToCut(t *testing.T) {
	data := randomBytes(2 << 20)
	for name, at := range map[string]string{"tcp4": "10.9.0.2:0", "tcp6": "[fd09::2]:0"} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t, "1", Config{}), newHost(t, "2", Config{})
			c := bridge(t, a.device, b.device, true)
			if got := talk(t, a, b, name, at, 0, data); !bytes.Equal(got, data) || c.trains.Load() == 0 {
				t.Errorf("%d of %d bytes arrived, or others; %d trains", len(got), len(data), c.trains.Load())
			}
		})
	}
}

func TestTrainsOfSmallSegmentsStayBounded(t *testing.T) {
	data := randomBytes(1 << 20)
	a, b := newHost(t, "1", Config{}), newHost(t, "2", Config{})
	c := bridge(t, a.device, b.device, false)
	if got := talk(t, a, b, "tcp4", "10.9.0.2:0", 128, data); !bytes.Equal(got, data) {
		t.Errorf("%d of %d bytes arrived, or others", len(got), len(data))
	}
	if n := c.longest.Load(); n < offload.MaxSegments/2 || n > offload.MaxSegments {
		t.Errorf("the longest train had %d segments", n)
	}
}

// volley sends a UDP train of equal datagrams from a to b, several times, and compares what arrives.
func volley(t *testing.T, a, b *host, network, to string) {
	t.Helper()
	const size, count = 1200, 44
	var in, out net.PacketConn
	var err error
	b.run(func() { in, err = net.ListenPacket(network, to) })
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	a.run(func() { out, err = net.ListenPacket(network, "") })
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	raw, _ := out.(*net.UDPConn).SyscallConn()
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, size) })
	if err != nil {
		t.Skipf("UDP_SEGMENT: %v", err)
	}
	in.SetDeadline(time.Now().Add(patience))
	buf := make([]byte, 2*size)
	for range 5 {
		data := randomBytes(size*count - 100)
		if _, err := out.WriteTo(data, in.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		for part := range slices.Chunk(data, size) {
			if n, _, err := in.ReadFrom(buf); err != nil || !bytes.Equal(buf[:n], part) {
				t.Fatalf("%d bytes arrived, or others: %v", n, err)
			}
		}
	}
}

func TestUDPComesThroughInTrains(t *testing.T) {
	for name, at := range map[string]string{"udp4": "10.9.0.2:0", "udp6": "[fd09::2]:0"} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t, "1", Config{}), newHost(t, "2", Config{})
			if !a.device.Stats().USO {
				t.Skip("this kernel has no UDP trains for TUN devices")
			}
			c := bridge(t, a.device, b.device, false)
			volley(t, a, b, name, at)
			if c.trains.Load() != 5 || c.longest.Load() != 44 {
				t.Errorf("%d trains of at most %d", c.trains.Load(), c.longest.Load())
			}
		})
	}
}

func TestUDPTrainsAreCutByTheirLayout(t *testing.T) {
	a, b := newHost(t, "1", Config{}), newHost(t, "2", Config{})
	c := bridge(t, a.device, b.device, true)
	volley(t, a, b, "udp4", "10.9.0.2:0")
	if a.device.Stats().USO && c.trains.Load() != 5 {
		t.Errorf("%d trains", c.trains.Load())
	}
}

func TestWithoutUSOTheKernelCutsUDP(t *testing.T) {
	a, b := newHost(t, "1", Config{NoUSO: true}), newHost(t, "2", Config{NoUSO: true})
	c := bridge(t, a.device, b.device, false)
	volley(t, a, b, "udp4", "10.9.0.2:0")
	if c.trains.Load() != 0 || a.device.Stats().USO {
		t.Errorf("%d trains, USO %v", c.trains.Load(), a.device.Stats().USO)
	}
}
