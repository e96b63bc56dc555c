package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/wg"
)

const (
	maxStrangers  = 65_536
	maxPorts      = 4096
	initiationLen = 148
)

// Flood says how to flood a WireGuard port with handshake initiations from strangers. Each carries the right MAC1, so that the
// receiver must do its cryptography to find out that it does not know the sender. Making one costs about as much as refusing it;
// so a number of them is made beforehand and sent over and over, which a receiver cannot know of a stranger.
type Flood struct {
	To        string        // host:port
	Key       key.WGPublic  // of the receiver
	Rate      float64       // initiations a second; 0 means 20,000
	For       time.Duration // how long to send; 0 means 5 s
	Strangers int           // different senders' keys; 0 means 1,024
	Ports     int           // UDP ports to send from, in turn; 0 means 128
	// Begun is called when all is made and the first is about to go; nil: nobody.
	Begun func()
}

// Flooded is what was sent. What became of it is for others to measure.
type Flooded struct {
	Sent    uint64  `json:"sent"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"` // a second; less than was asked for if the sender could not keep up
}

// Initiate floods. The end of the context ends it early, which is no error: the result tells for how long it lasted.
func Initiate(ctx context.Context, f Flood) (r Flooded, err error) {
	if err := f.complete(); err != nil {
		return r, err
	}
	to, err := net.ResolveUDPAddr("udp", f.To)
	if err != nil {
		return r, fmt.Errorf("find the receiver: %w", err)
	}
	messages, err := f.strangers()
	if err != nil {
		return r, err
	}
	batches, end, err := f.open()
	defer end()
	if err != nil {
		return r, err
	}
	if f.Begun != nil {
		f.Begun()
	}
	start := time.Now()
	r.Sent, err = f.send(ctx, to, batches, messages, start)
	r.Seconds = time.Since(start).Seconds()
	r.Rate = float64(r.Sent) / r.Seconds
	return r, err
}

func (f *Flood) complete() error {
	f.For = orFiveSeconds(f.For)
	if f.Rate == 0 {
		f.Rate = 20_000
	}
	if f.Strangers == 0 {
		f.Strangers = 1024
	}
	if f.Ports == 0 {
		f.Ports = 128
	}
	if !(f.Rate > 0 && f.Rate <= maxPacketRate) || f.For > maxFor || f.Strangers < 1 || f.Strangers > maxStrangers || f.Ports < 1 || f.Ports > maxPorts {
		return fmt.Errorf("flood with %v initiations a second of %d strangers from %d ports for %v: up to %v, %d, %d and %v are allowed",
			f.Rate, f.Strangers, f.Ports, f.For, maxPacketRate, maxStrangers, maxPorts, maxFor)
	}
	if f.Key.IsZero() {
		return errors.New("the receiver's public key is missing: without it every message would be refused by its MAC1")
	}
	return nil
}

// strangers makes one initiation of each.
func (f *Flood) strangers() (messages [][]byte, err error) {
	clock := mono.NewClock()
	for range f.Strangers {
		m, err := wg.New(wg.Config{Private: key.NewWGPrivate(), Epoch: time.Now()}, rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make a stranger: %w", err)
		}
		var out wg.Out
		if err := m.Put(clock.Now(), wg.Peer{Public: f.Key}, &out); err != nil {
			return nil, fmt.Errorf("make a stranger: %w", err)
		}
		m.Wake(clock.Now(), f.Key, &out)
		if len(out.Transmits) != 1 || len(out.Transmits[0].Data) != initiationLen {
			return nil, fmt.Errorf("make a stranger: it sends %d messages instead of one initiation", len(out.Transmits))
		}
		messages = append(messages, append([]byte(nil), out.Transmits[0].Data...))
	}
	return messages, nil
}

// open binds a socket to each port. Answers are not read; small buffers let the kernel drop them.
func (f *Flood) open() (batches []*batch, end func(), err error) {
	var conns []*net.UDPConn
	end = func() {
		for _, c := range conns {
			c.Close()
		}
	}
	for range f.Ports {
		c, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, end, fmt.Errorf("open a socket: %w", err)
		}
		conns = append(conns, c)
		_ = c.SetReadBuffer(1) // the kernel's least
		batches = append(batches, newBatch(c, initiationLen))
	}
	return batches, end, nil
}

// send sends the messages round and round, each batch from the next port.
func (f *Flood) send(ctx context.Context, to net.Addr, batches []*batch, messages [][]byte, start time.Time) (sent uint64, err error) {
	steady := newPace(f.Rate)
	turn := 0
	for now := time.Duration(0); now < f.For && ctx.Err() == nil; now = time.Since(start) {
		for n := steady.due(now); n > 0; {
			b := batches[turn%len(batches)]
			turn++
			k := min(n, len(b.messages))
			for i := range k {
				copy(b.payload(i), messages[(sent+uint64(i))%uint64(len(messages))])
			}
			took, err := b.write(k, to)
			if err != nil {
				return sent, fmt.Errorf("send initiations: %w", err)
			}
			sent, n = sent+uint64(took), n-took
		}
		nap(slotAfter(now) - time.Since(start))
	}
	return sent, nil
}
