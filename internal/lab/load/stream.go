package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Streams says what to send.
type Streams struct {
	To      string        // host:port of the server
	Streams int           // parallel connections; 0 means 1
	For     time.Duration // how long to send; 0 means 5 s
	Reverse bool          // the server sends
}

// Throughput is what arrived.
type Throughput struct {
	Streams int     `json:"streams"`
	Bytes   int64   `json:"bytes"`   // at the receiver
	Seconds float64 `json:"seconds"` // until the last byte was acknowledged
	Gbps    float64 `json:"gbps"`    // 10^9 bit/s of payload
	// Retransmits is how many segments were sent again on all streams; -1 where that is not known: with Reverse, whose sender
	// is the server, and on systems other than Linux.
	Retransmits int64 `json:"retransmits"`
}

// TCP sends over parallel streams.
func TCP(ctx context.Context, s Streams) (Throughput, error) {
	s.Streams, s.For = max(s.Streams, 1), orFiveSeconds(s.For)
	if s.Streams > maxStreams || s.For > maxFor {
		return Throughput{}, fmt.Errorf("send %d streams for %v: at most %d and %v are allowed", s.Streams, s.For, maxStreams, maxFor)
	}
	conns, err := s.dial(ctx)
	end := func() {
		for _, c := range conns {
			c.Close()
		}
	}
	defer end()
	stop := context.AfterFunc(ctx, end)
	defer stop()
	if err != nil {
		return Throughput{}, err
	}
	start := time.Now()
	bytes, err := s.run(conns)
	if ctx.Err() != nil {
		return Throughput{}, ctx.Err()
	}
	took := time.Since(start).Seconds()
	again := int64(-1)
	if !s.Reverse {
		again = retransmits(conns)
	}
	return Throughput{s.Streams, bytes, took, float64(bytes) * 8 / took / 1e9, again}, err
}

func orFiveSeconds(d time.Duration) time.Duration {
	if d <= 0 {
		return 5 * time.Second
	}
	return d
}

// dial opens all streams before the clock starts.
func (s Streams) dial(ctx context.Context) (conns []*net.TCPConn, err error) {
	var d net.Dialer
	for range s.Streams {
		c, err := d.DialContext(ctx, "tcp", s.To)
		if err != nil {
			return conns, fmt.Errorf("open a stream: %w", err)
		}
		conns = append(conns, c.(*net.TCPConn))
	}
	return conns, nil
}

func (s Streams) run(conns []*net.TCPConn) (int64, error) {
	counts, errs := make([]int64, len(conns)), make([]error, len(conns))
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() { counts[i], errs[i] = s.one(c) })
	}
	all.Wait()
	var bytes int64
	for _, n := range counts {
		bytes += n
	}
	return bytes, errors.Join(errs...)
}

func (s Streams) one(c *net.TCPConn) (int64, error) {
	header := []byte{up}
	if s.Reverse {
		header = binary.BigEndian.AppendUint64([]byte{down}, uint64(s.For))
	} else {
		header = binary.BigEndian.AppendUint64(header, 0)
	}
	if _, err := c.Write(header); err != nil {
		return 0, fmt.Errorf("begin a stream: %w", err)
	}
	if s.Reverse {
		n, err := count(c)
		if err != nil {
			return n, fmt.Errorf("receive a stream: %w", err)
		}
		return n, nil
	}
	if _, err := send(c, s.For); err != nil {
		return 0, fmt.Errorf("send a stream: %w", err)
	}
	var said [8]byte
	if _, err := io.ReadFull(c, said[:]); err != nil {
		return 0, fmt.Errorf("read what the server received: %w", err)
	}
	return int64(binary.BigEndian.Uint64(said[:])), nil
}
