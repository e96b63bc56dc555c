package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

const (
	maxPings = 1_000_000
	pingLen  = 16 // number and time of sending, both 8 bytes
)

// Pings says what to send.
type Pings struct {
	To    string        // host:port of the server
	Count int           // 0 means 10
	Gap   time.Duration // between two; 0 means 10 ms
	Size  int           // bytes of payload, 16 to 65000; 0 means 64
	Wait  time.Duration // for the last answers; 0 means 1 s
}

// RoundTrips is what came back. Times are in microseconds; those that were lost are not in them.
type RoundTrips struct {
	Sent     int     `json:"sent"`
	Received int     `json:"received"`
	Min      float64 `json:"min_us"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	Max      float64 `json:"max_us"`
}

// Ping sends UDP packets that the server sends back.
func Ping(ctx context.Context, p Pings) (RoundTrips, error) {
	if err := p.complete(); err != nil {
		return RoundTrips{}, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", p.To)
	if err != nil {
		return RoundTrips{}, fmt.Errorf("open a socket: %w", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	start := time.Now()
	c.SetReadDeadline(start.Add(time.Duration(p.Count)*p.Gap + p.Wait))
	answers := make(chan []time.Duration)
	go func() { answers <- receive(c, start, p.Count) }()
	sent := p.send(c, start)
	times := <-answers
	if ctx.Err() != nil {
		return RoundTrips{}, ctx.Err()
	}
	return summary(sent, times), nil
}

func (p *Pings) complete() error {
	if p.Count == 0 {
		p.Count = 10
	}
	if p.Gap == 0 {
		p.Gap = 10 * time.Millisecond
	}
	if p.Size == 0 {
		p.Size = 64
	}
	if p.Wait == 0 {
		p.Wait = time.Second
	}
	if p.Count < 0 || p.Count > maxPings || p.Size < pingLen || p.Size > 65000 || p.Gap < 0 || p.Wait < 0 {
		return fmt.Errorf("send %d pings of %d bytes: from 1 to %d of %d to 65000 bytes are allowed, and no negative times", p.Count, p.Size, maxPings, pingLen)
	}
	return nil
}

// send counts what the kernel took. A refusal (nobody listens, no route) is a ping that was lost.
func (p *Pings) send(c net.Conn, start time.Time) (sent int) {
	buf := make([]byte, p.Size)
	next := time.NewTicker(p.Gap)
	defer next.Stop()
	for i := range p.Count {
		binary.BigEndian.PutUint64(buf, uint64(i))
		binary.BigEndian.PutUint64(buf[8:], uint64(time.Since(start)))
		_, err := c.Write(buf)
		if errors.Is(err, net.ErrClosed) {
			return sent
		}
		sent++
		if i < p.Count-1 {
			<-next.C
		}
	}
	return sent
}

// receive collects the round trips until all are there or the deadline comes. A doubled answer counts once.
func receive(c net.Conn, start time.Time, count int) []time.Duration {
	seen := make([]bool, count)
	var times []time.Duration
	for buf := make([]byte, 65536); len(times) < count; {
		n, err := c.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return times
		}
		if err != nil || n < pingLen {
			continue // the refusal of one packet
		}
		i, sent := binary.BigEndian.Uint64(buf), time.Duration(binary.BigEndian.Uint64(buf[8:]))
		if i < uint64(count) && !seen[i] {
			seen[i] = true
			times = append(times, time.Since(start)-sent)
		}
	}
	return times
}

func summary(sent int, times []time.Duration) RoundTrips {
	r := RoundTrips{Sent: sent, Received: len(times)}
	if len(times) == 0 {
		return r
	}
	slices.Sort(times)
	at := func(percent int) float64 { return float64(times[(len(times)-1)*percent/100].Nanoseconds()) / 1e3 }
	r.Min, r.P50, r.P99, r.Max = at(0), at(50), at(99), at(100)
	return r
}
