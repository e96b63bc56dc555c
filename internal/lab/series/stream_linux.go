package series

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

// A Stream is a TCP connection through a tunnel that is written to at a steady pace: 16 KB each 5 ms, some 26 Mbit/s.
type Stream struct {
	conn net.Conn
	stop chan struct{}
	done sync.WaitGroup

	mu      sync.Mutex
	last    time.Time
	longest time.Duration // without a byte
	bytes   int
	failed  error
}

// Pour begins a stream from a computer to the address that another has inside the network.
func Pour(from, to *lab.Host, at netip.Addr) (*Stream, error) {
	s := &Stream{stop: make(chan struct{}), last: time.Now()}
	var l net.Listener
	err := to.Do(func() (err error) { l, err = net.Listen("tcp", netip.AddrPortFrom(at, 0).String()); return err })
	if err != nil {
		return nil, fmt.Errorf("take a stream on %s: %w", to.Name(), err)
	}
	defer l.Close()
	err = from.Do(func() (err error) { s.conn, err = net.DialTimeout("tcp", l.Addr().String(), 3*time.Second); return err })
	if err != nil {
		return nil, fmt.Errorf("begin a stream on %s: %w", from.Name(), err)
	}
	c, err := l.Accept()
	if err != nil {
		s.conn.Close()
		return nil, fmt.Errorf("take a stream on %s: %w", to.Name(), err)
	}
	s.done.Go(func() { s.read(c) })
	s.done.Go(s.write)
	return s, nil
}

func (s *Stream) write() {
	defer s.conn.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	block := make([]byte, 16<<10)
	for sent := 0; ; sent += len(block) {
		for i := range block {
			block[i] = content(sent + i)
		}
		if _, err := s.conn.Write(block); err != nil {
			s.mu.Lock()
			s.failed = err
			s.mu.Unlock()
			return
		}
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

func (s *Stream) read(c net.Conn) {
	defer c.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		now := time.Now()
		s.mu.Lock()
		s.longest, s.last = max(s.longest, now.Sub(s.last)), now
		for i, c := range b[:n] {
			if c != content(s.bytes+i) && s.failed == nil {
				s.failed = fmt.Errorf("byte %d of the stream is not what was sent", s.bytes+i)
			}
		}
		s.bytes += n
		if err != nil && !errors.Is(err, io.EOF) {
			s.failed = err
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// content is what stands at a place of every stream, so that who reads knows what to expect.
func content(at int) byte { return byte(at ^ at>>8 ^ at>>16 ^ at>>24) }

// Longest is the longest time without a byte until now, one that lasts included.
func (s *Stream) Longest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.longest, time.Since(s.last))
}

// FromNow forgets earlier stalls.
func (s *Stream) FromNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = 0
}

// End closes the stream and returns how much arrived, and the longest time without a byte.
func (s *Stream) End() (bytes int, stall time.Duration, err error) {
	close(s.stop)
	_ = s.conn.SetWriteDeadline(time.Now().Add(5 * time.Second)) // an open socket takes one
	s.done.Wait()
	return s.bytes, s.longest, s.failed
}
