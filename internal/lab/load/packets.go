package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	numberLen     = 8
	maxPacketRate = 5e6
	maxPackets    = 1 << 28 // 32 MB for the server's count
	settle        = 300 * time.Millisecond
)

// Packets says what to send.
type Packets struct {
	To   string        // host:port of the server
	Rate float64       // packets a second, at most 5 million
	For  time.Duration // how long to send; 0 means 5 s
	Size int           // bytes of payload, 8 to 65000; 0 means 172: 20 ms of telephone speech with its RTP header
}

// Delivery is what arrived.
type Delivery struct {
	Sent         uint64  `json:"sent"`     // packets that the sender's kernel took
	Received     uint64  `json:"received"` // different ones of them
	Doubled      uint64  `json:"doubled"`
	Reordered    uint64  `json:"reordered"` // came after one that was sent later
	Seconds      float64 `json:"seconds"`   // of sending
	Loss         float64 `json:"loss"`      // 0 to 1
	SentKpps     float64 `json:"sent_kpps"` // less than was asked for if the sender could not keep up
	ReceivedKpps float64 `json:"received_kpps"`
}

// UDP sends numbered packets at a steady rate and has the server count them.
func UDP(ctx context.Context, p Packets) (Delivery, error) {
	limit, err := p.complete()
	if err != nil {
		return Delivery{}, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", p.To)
	if err != nil {
		return Delivery{}, fmt.Errorf("ask for a receiver: %w", err)
	}
	control := c.(*net.TCPConn)
	defer control.Close()
	stop := context.AfterFunc(ctx, func() { control.Close() })
	defer stop()
	r, err := p.through(ctx, control, limit)
	if ctx.Err() != nil {
		return Delivery{}, ctx.Err()
	}
	return r, err
}

// complete fills in what was left out and returns how many packets there can be at most.
func (p *Packets) complete() (limit uint64, err error) {
	p.For = orFiveSeconds(p.For)
	if p.Size == 0 {
		p.Size = 172
	}
	most := p.Rate*p.For.Seconds() + 1
	if !(p.Rate > 0 && p.Rate <= maxPacketRate && most <= maxPackets) || p.Size < numberLen || p.Size > 65000 || p.For > maxFor {
		return 0, fmt.Errorf("send %v packets of %d bytes a second for %v: up to %v a second and %d in all are allowed, of %d to 65000 bytes",
			p.Rate, p.Size, p.For, maxPacketRate, maxPackets, numberLen)
	}
	return uint64(most), nil
}

// through sends to the port that the server opens, and reads what it has counted.
func (p *Packets) through(ctx context.Context, control *net.TCPConn, limit uint64) (r Delivery, err error) {
	if _, err := control.Write(binary.BigEndian.AppendUint64([]byte{packets}, limit)); err != nil {
		return r, fmt.Errorf("ask for a receiver: %w", err)
	}
	var port [8]byte
	if _, err := io.ReadFull(control, port[:]); err != nil {
		return r, fmt.Errorf("read the receiver's port: %w", err)
	}
	host, _, err := net.SplitHostPort(control.RemoteAddr().String())
	if err != nil {
		return r, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", net.JoinHostPort(host, strconv.FormatUint(binary.BigEndian.Uint64(port[:]), 10)))
	if err != nil {
		return r, fmt.Errorf("open a socket: %w", err)
	}
	defer c.Close()
	start := time.Now()
	if r.Sent, err = p.send(ctx, c.(*net.UDPConn), start, limit); err != nil {
		return r, fmt.Errorf("send packets: %w", err)
	}
	r.Seconds = time.Since(start).Seconds()
	pause(ctx, settle) // for what is under way
	if err := control.CloseWrite(); err != nil {
		return r, fmt.Errorf("end the count: %w", err)
	}
	var said [3 * 8]byte
	if _, err := io.ReadFull(control, said[:]); err != nil {
		return r, fmt.Errorf("read what the server counted: %w", err)
	}
	r.Received, r.Doubled, r.Reordered = binary.BigEndian.Uint64(said[:]), binary.BigEndian.Uint64(said[8:]), binary.BigEndian.Uint64(said[16:])
	r.rates()
	return r, nil
}

func (d *Delivery) rates() {
	if d.Sent > 0 {
		d.Loss = 1 - float64(min(d.Received, d.Sent))/float64(d.Sent)
	}
	d.SentKpps = float64(d.Sent) / d.Seconds / 1e3
	d.ReceivedKpps = float64(d.Received) / d.Seconds / 1e3
}

// send counts what the kernel took.
func (p *Packets) send(ctx context.Context, c *net.UDPConn, start time.Time, limit uint64) (sent uint64, err error) {
	b := newBatch(c, p.Size)
	steady := newPace(p.Rate)
	for now := time.Duration(0); now < p.For && ctx.Err() == nil; now = time.Since(start) {
		for n := min(steady.due(now), int(limit-sent)); n > 0; {
			k := min(n, len(b.messages))
			for i := range k {
				binary.BigEndian.PutUint64(b.payload(i), sent+uint64(i))
			}
			took, err := b.write(k, nil)
			if err != nil {
				return sent, err
			}
			sent, n = sent+uint64(took), n-took
		}
		nap(slotAfter(now) - time.Since(start))
	}
	return sent, nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
