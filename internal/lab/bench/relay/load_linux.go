package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/internal/lab/figure"
	"github.com/cvlan/cvlan/proto/relay"
)

// load runs senders and receivers for a while, several times, and prints what a million packets cost the relay.
type load struct {
	send    []func(stop *atomic.Bool) error // until stop
	receive []func() error                  // until its connection is closed
	close   func()
}

func (l *load) measure(c *child, o options, name string) (cost, allocs []float64, err error) {
	var receivers sync.WaitGroup
	for _, f := range l.receive {
		receivers.Go(func() { f() })
	}
	defer receivers.Wait()
	defer l.close()
	for i := range o.runs + 1 {
		var stop atomic.Bool
		var senders sync.WaitGroup
		for _, f := range l.send {
			senders.Go(func() {
				if err := f(&stop); err != nil {
					fmt.Fprintln(os.Stderr, "sender:", err)
				}
			})
		}
		time.Sleep(o.each / 4) // until it is under way
		before, err1 := c.read()
		time.Sleep(o.each)
		after, err2 := c.read()
		stop.Store(true)
		senders.Wait()
		if err1 != nil || err2 != nil {
			return nil, nil, fmt.Errorf("%w %w", err1, err2)
		}
		n := float64(after.Frames - before.Frames)
		if n == 0 {
			return nil, nil, fmt.Errorf("nothing was forwarded: %v", after.Dropped)
		}
		fmt.Printf("%-12s %8.0f packets/s, %.2f CPU-s/Mpkt, %.2f allocations a packet, %v\n", name, n/o.each.Seconds(),
			(after.CPU-before.CPU)/n*1e6, float64(after.Mallocs-before.Mallocs)/n, after.Dropped)
		if i > 0 { // the first warms up
			cost, allocs = append(cost, (after.CPU-before.CPU)/n*1e6), append(allocs, float64(after.Mallocs-before.Mallocs)/n)
		}
	}
	return cost, allocs, nil
}

// window bounds what a pair has under way, as its flows' own congestion control would: without it the relay measures how fast it drops.
type window struct{ sent, got atomic.Int64 }

// windowSize is in packets.
const windowSize = 64

// wait waits until there is room. What has been under way for long is lost.
func (w *window) wait(stop *atomic.Bool) {
	for since := time.Now(); w.sent.Load()-w.got.Load() >= windowSize && !stop.Load(); time.Sleep(20 * time.Microsecond) {
		if time.Since(since) > 200*time.Millisecond {
			w.got.Store(w.sent.Load())
		}
	}
}

func certificate(node int) (tls.Certificate, error) {
	return caller.NodeCertificate(1, ident.Node(node))
}

// callUDP makes a client that is bound over UDP.
func callUDP(c *child, node int) (*caller.Caller, *net.UDPConn, error) {
	cert, err := certificate(node)
	if err != nil {
		return nil, nil, err
	}
	conn, w, err := caller.DialTLS(c.addr, cert)
	if err != nil {
		return nil, nil, err
	}
	conn.Close()
	u, err := net.Dial("udp4", c.addr)
	if err != nil {
		return nil, nil, err
	}
	call := caller.OverUDP(w, u.(*net.UDPConn))
	return call, u.(*net.UDPConn), call.Bind()
}

// meeting makes the two ends of pair i, and the datagram that travels from the first to the second.
type meeting func(c *child, i int) (from, to *net.UDPConn, datagram []byte, err error)

// channel has a pair meet as clients of the relay do.
func channel(c *child, i int) (from, to *net.UDPConn, datagram []byte, err error) {
	a, from, err := callUDP(c, 2*i+1)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, to, err = callUDP(c, 2*i+2); err != nil {
		return from, nil, nil, err
	}
	ch, err := a.Open(ident.Node(2*i + 2))
	if err != nil {
		return from, to, nil, err
	}
	return from, to, ch.Frame(make([]byte, payload)), nil
}

// batch returns what sends one batch of a datagram and says how many it sent.
type batch func(u *net.UDPConn, datagram []byte) (send func() (int, error), err error)

// udpLoad makes pairs that send, each as fast as it can, or rate packets a second together.
func udpLoad(c *child, meet meeting, rate int, batch batch) (*load, error) {
	l := &load{}
	var all []*net.UDPConn
	l.close = func() {
		for _, u := range all {
			u.Close()
		}
	}
	for i := range pairs {
		from, to, datagram, err := meet(c, i)
		if err != nil {
			return nil, err
		}
		all = append(all, from, to)
		send, err := batch(from, datagram)
		if err != nil {
			return nil, err
		}
		l.send = append(l.send, paced(send, rate/pairs))
		l.receive = append(l.receive, sink(to))
	}
	return l, nil
}

// paced calls send until it is stopped: as fast as it goes, or rate packets a second.
func paced(send func() (int, error), rate int) func(*atomic.Bool) error {
	return func(stop *atomic.Bool) error {
		start, sent := time.Now(), 0
		for !stop.Load() {
			n, err := send()
			if err != nil {
				return err
			}
			sent += n
			if rate > 0 {
				if ahead := time.Duration(sent)*time.Second/time.Duration(rate) - time.Since(start); ahead > 0 {
					time.Sleep(ahead)
				}
			}
		}
		return nil
	}
}

// sink reads and forgets, trains as they come: as nodes do.
func sink(u *net.UDPConn) func() error {
	u.SetReadBuffer(4 << 20)
	if raw, err := u.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) })
	}
	return func() error {
		p := ipv4.NewPacketConn(u)
		ms := make([]ipv4.Message, 8)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 1<<16)}
		}
		u.SetReadDeadline(time.Time{})
		for {
			if _, err := p.ReadBatch(ms, 0); err != nil {
				return err
			}
		}
	}
}

// single sends so many datagrams a call.
func single(many int) batch {
	return func(u *net.UDPConn, frame []byte) (func() (int, error), error) {
		p := ipv4.NewPacketConn(u)
		ms := make([]ipv4.Message, many)
		for i := range ms {
			ms[i].Buffers = [][]byte{frame}
		}
		return func() (int, error) {
			n, err := p.WriteBatch(ms, 0)
			return max(n, 0), err
		}, nil
	}
}

// train sends 16 datagrams as one train.
func train(u *net.UDPConn, frame []byte) (func() (int, error), error) {
	raw, err := u.SyscallConn()
	if err != nil {
		return nil, err
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, len(frame)) })
	var whole []byte
	for range 16 {
		whole = append(whole, frame...)
	}
	return func() (int, error) {
		_, err := u.Write(whole)
		return 16, err
	}, err
}

func udpBulk(c *child, o options) error {
	l, err := udpLoad(c, channel, 0, single(32))
	if err != nil {
		return err
	}
	cost, allocs, err := l.measure(c, o, "udp")
	figure.Spread(os.Stdout, "relay_udp_cpu_s_per_mpkt", "CPU-s", cost)
	figure.Spread(os.Stdout, "relay_allocs", "allocations/packet", allocs)
	return err
}

func udpPaced(c *child, o options) error {
	l, err := udpLoad(c, channel, pace, single(1))
	if err != nil {
		return err
	}
	cost, _, err := l.measure(c, o, "udp paced")
	figure.Spread(os.Stdout, "relay_udp_paced_cpu_s_per_mpkt", "CPU-s", cost)
	return err
}

func udpTrains(c *child, o options) error {
	l, err := udpLoad(c, channel, 0, train)
	if err != nil {
		return err
	}
	cost, _, err := l.measure(c, o, "udp trains")
	figure.Spread(os.Stdout, "relay_udp_gso_cpu_s_per_mpkt", "CPU-s", cost)
	return err
}

func tlsBulk(c *child, o options) error {
	l := &load{}
	var all []net.Conn
	l.close = func() {
		for _, u := range all {
			u.Close()
		}
	}
	call := func(node int) (*caller.Caller, *tls.Conn, error) {
		cert, err := certificate(node)
		if err != nil {
			return nil, nil, err
		}
		conn, w, err := caller.DialTLS(c.addr, cert)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, conn)
		caller := caller.OverStream(w, conn)
		return caller, conn, caller.Bind()
	}
	for i := range pairs {
		a, ac, err := call(2*i + 1)
		if err != nil {
			return err
		}
		_, bc, err := call(2*i + 2)
		if err != nil {
			return err
		}
		ch, err := a.Open(ident.Node(2*i + 2))
		if err != nil {
			return err
		}
		var bulk []byte
		for range 16 {
			bulk, _ = relay.AppendStream(bulk, ch.Frame(make([]byte, payload)))
		}
		ac.SetDeadline(time.Time{})
		bc.SetDeadline(time.Time{})
		var w window
		l.send = append(l.send, func(stop *atomic.Bool) error {
			for !stop.Load() {
				if w.wait(stop); !stop.Load() {
					w.sent.Add(16)
					if _, err := ac.Write(bulk); err != nil {
						return err
					}
				}
			}
			return nil
		})
		l.receive = append(l.receive, func() error {
			b, total, size := make([]byte, 64<<10), int64(0), int64(len(bulk)/16)
			for {
				n, err := bc.Read(b)
				w.got.Add((total+int64(n))/size - total/size)
				if total += int64(n); err != nil {
					return err
				}
			}
		})
	}
	cost, _, err := l.measure(c, o, "tls")
	figure.Spread(os.Stdout, "relay_tls_cpu_s_per_mpkt", "CPU-s", cost)
	return err
}
