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
	"github.com/cvlan/cvlan/proto/relay"
)

// load is what loads a relay: senders and receivers.
type load struct {
	send    []func(stop *atomic.Bool) error // until stop
	receive []func() error                  // until its connection is closed
	close   func()
}

// side makes a load of a relay ready for its turns.
func (l *load) side(c *child, name string) *side {
	var receivers sync.WaitGroup
	for _, f := range l.receive {
		receivers.Go(func() { f() })
	}
	return &side{name: name, read: c.read, begin: l.begin, close: func() {
		l.close()
		receivers.Wait()
	}}
}

// begin has the senders send until end is called.
func (l *load) begin() (end func(), err error) {
	var stop atomic.Bool
	var senders sync.WaitGroup
	for _, f := range l.send {
		senders.Go(func() {
			if err := f(&stop); err != nil {
				fmt.Fprintln(os.Stderr, "sender:", err)
			}
		})
	}
	return func() {
		stop.Store(true)
		senders.Wait()
	}, nil
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

// The loads of the fast path.
func udpBulk(c *child) (*load, error)   { return udpLoad(c, channel, 0, single(32)) }
func udpPaced(c *child) (*load, error)  { return udpLoad(c, channel, pace, single(1)) }
func udpTrains(c *child) (*load, error) { return udpLoad(c, channel, 0, train) }

func tlsBulk(c *child) (*load, error) {
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
			return nil, err
		}
		_, bc, err := call(2*i + 2)
		if err != nil {
			return nil, err
		}
		ch, err := a.Open(ident.Node(2*i + 2))
		if err != nil {
			return nil, err
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
	return l, nil
}
