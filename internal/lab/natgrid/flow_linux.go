package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

const (
	echoPort = 7007
	pace     = 10 * time.Millisecond // between two datagrams of a flow
)

// echo sends every datagram back, for as long as the laboratory stands.
func echo(h *lab.Host) error {
	c, err := listen(h, echoPort)
	if err != nil {
		return fmt.Errorf("serve echoes on %s: %w", h.Name(), err)
	}
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(b[:n], from) // a datagram that cannot be sent is lost
		}
	}()
	return nil
}

func listen(h *lab.Host, port int) (c *net.UDPConn, err error) {
	err = h.Do(func() error { c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: port}); return err })
	return c, err
}

// flow is a steady stream of small datagrams through the tunnel, each of which comes back.
type flow struct {
	conn  *net.UDPConn
	began time.Time
	stop  chan struct{}
	done  sync.WaitGroup

	mu      sync.Mutex
	arrived []time.Time   // in order
	first   chan struct{} // closed at the first
}

// begin starts a flow to a computer's address inside the network.
func begin(from *lab.Host, to netip.Addr) (*flow, error) {
	c, err := listen(from, 0)
	if err != nil {
		return nil, fmt.Errorf("begin a flow on %s: %w", from.Name(), err)
	}
	f := &flow{conn: c, began: time.Now(), stop: make(chan struct{}), first: make(chan struct{})}
	f.done.Add(2)
	go f.send(netip.AddrPortFrom(to, echoPort))
	go f.receive()
	return f, nil
}

func (f *flow) end() {
	close(f.stop)
	f.conn.Close()
	f.done.Wait()
}

func (f *flow) send(to netip.AddrPort) {
	defer f.done.Done()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := uint64(0); ; n++ {
		_, _ = f.conn.WriteToUDPAddrPort(binary.BigEndian.AppendUint64(make([]byte, 0, 56), n)[:56], to) // without a tunnel it is lost
		select {
		case <-tick.C:
		case <-f.stop:
			return
		}
	}
}

func (f *flow) receive() {
	defer f.done.Done()
	b := make([]byte, 2048)
	for {
		_, _, err := f.conn.ReadFromUDPAddrPort(b)
		select {
		case <-f.stop:
			return
		default:
		}
		if err != nil {
			continue // an ICMP error of a way that is no more
		}
		f.mu.Lock()
		if f.arrived = append(f.arrived, time.Now()); len(f.arrived) == 1 {
			close(f.first)
		}
		f.mu.Unlock()
	}
}

// silence returns the longest time without an answer since an instant, the time until now included, and how long ago the last came.
func (f *flow) silence(since time.Time) (longest, quiet time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := since
	for i := len(f.arrived) - 1; i >= 0 && f.arrived[i].After(since); i-- {
		if i == 0 || f.arrived[i-1].Before(since) {
			longest = max(longest, f.arrived[i].Sub(since))
		} else {
			longest = max(longest, f.arrived[i].Sub(f.arrived[i-1]))
		}
		if f.arrived[i].After(last) {
			last = f.arrived[i]
		}
	}
	quiet = time.Since(last)
	return max(longest, quiet), quiet
}
