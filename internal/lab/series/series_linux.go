// Package series sends numbered datagrams through a tunnel at a steady pace, each of which comes back, and tells which were lost and for
// how long nothing came: what an event costs those who use a path.
package series

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

const (
	echoPort = 7007
	// Pace is the time between two datagrams.
	Pace = 10 * time.Millisecond
	// size is a datagram's payload in bytes: its number, and nothing.
	size = 56
)

// Echo sends every datagram back, for as long as the laboratory stands.
func Echo(h *lab.Host) error {
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

// Series is one that is under way.
type Series struct {
	conn  *net.UDPConn
	began time.Time
	first chan struct{} // closed at the first arrival
	stop  chan struct{} // sending
	once  sync.Once     // for first
	sent  sync.WaitGroup
	done  sync.WaitGroup

	mu  sync.Mutex
	log log
}

// Begin starts a series to a computer's address inside the network, where Echo serves.
func Begin(from *lab.Host, to netip.Addr) (*Series, error) {
	c, err := listen(from, 0)
	if err != nil {
		return nil, fmt.Errorf("begin a series on %s: %w", from.Name(), err)
	}
	s := &Series{conn: c, began: time.Now(), first: make(chan struct{}), stop: make(chan struct{})}
	s.sent.Go(func() { s.send(netip.AddrPortFrom(to, echoPort)) })
	s.done.Go(s.receive)
	return s, nil
}

func (s *Series) send(to netip.AddrPort) {
	tick := time.NewTicker(Pace)
	defer tick.Stop()
	var b [size]byte
	for n := 0; ; n++ {
		binary.BigEndian.PutUint64(b[:], uint64(n))
		s.mu.Lock()
		s.log.send(time.Now())
		s.mu.Unlock()
		_, _ = s.conn.WriteToUDPAddrPort(b[:], to) // without a tunnel it is lost
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

func (s *Series) receive() {
	b := make([]byte, 2048)
	for {
		n, _, err := s.conn.ReadFromUDPAddrPort(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil:
			continue // an ICMP error of a way that is no more
		}
		if n == size && s.take(int(binary.BigEndian.Uint64(b))) {
			return
		}
	}
}

// take notes an arrival and reports whether nothing more can come.
func (s *Series) take(number int) (complete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log.come(number, time.Now()); s.log.arrived == 1 {
		s.once.Do(func() { close(s.first) })
	}
	return s.log.complete()
}

// Began is when the first was sent.
func (s *Series) Began() time.Time { return s.began }

// First returns a channel that is closed when the first has come back.
func (s *Series) First() <-chan struct{} { return s.first }

// Since tells what has happened since an instant: of those sent then or later, which were lost, and how long nothing came. Those sent in the
// last moment before now, grace, are not lost yet.
func (s *Series) Since(begin time.Time, grace time.Duration) Tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.tally(begin, time.Now(), grace)
}

// End stops sending, waits for what is under way, for grace at most, and tells what happened to all.
func (s *Series) End(grace time.Duration) Tally {
	close(s.stop)
	s.sent.Wait()
	s.mu.Lock()
	s.log.end(time.Now())
	if s.log.complete() {
		grace = 0
	}
	s.mu.Unlock()
	_ = s.conn.SetReadDeadline(time.Now().Add(grace)) // an open socket takes one
	s.done.Wait()
	s.conn.Close()
	return s.Since(time.Time{}, 0)
}
