package world

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// inside is the host behind a TUN device, as far as echoes go: it answers requests, and waits for replies to its own. It ends with the
// device.
type inside struct {
	device *tun.Twin
	wrong  func(format string, a ...any) // fails the story: an echo has come back twice, or not as it was sent

	mu   sync.Mutex
	last uint16            // number of the latest request
	asks map[uint16]*asked // by number, those that were answered too
}

// asked is an echo request, and who waits for the reply; nobody once it has come, or is given up.
type asked struct {
	payload  []byte
	came     chan struct{}
	answered bool
}

func newInside(t *tun.Twin, wrong func(string, ...any)) *inside {
	h := &inside{device: t, wrong: wrong, asks: map[uint16]*asked{}}
	go func() {
		for {
			p, err := t.Receive()
			if err != nil {
				return
			}
			h.take(p)
		}
	}()
	return h
}

// ping sends an echo request and waits for its reply.
func (h *inside) ping(ctx context.Context, from, to netip.Addr, payload int) (time.Duration, error) {
	ask := &asked{payload: make([]byte, payload), came: make(chan struct{})}
	h.mu.Lock()
	h.last++
	number := h.last
	for i := range ask.payload {
		ask.payload[i] = byte(i * int(number|1))
	}
	h.asks[number] = ask
	h.mu.Unlock()
	start := time.Now()
	h.device.Send(echo(from, to, kindOf(to).request, number, ask.payload))
	select {
	case <-ask.came:
		return time.Since(start), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("ping %v: no reply: %w", to, ctx.Err())
	}
}

// take looks at a packet that came out of the tunnel.
func (h *inside) take(p []byte) {
	header, src, dst := 20, netip.Addr{}, netip.Addr{}
	if p[0]>>4 == 6 {
		header, src, dst = 40, netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40]))
	} else {
		src, dst = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20]))
	}
	if len(p) < header+8 {
		return
	}
	kind, number := p[header], binary.BigEndian.Uint16(p[header+6:])
	switch k := kindOf(src); kind {
	case k.request:
		h.device.Send(echo(dst, src, k.reply, number, p[header+8:]))
	case k.reply:
		h.reply(src, number, p[header+8:])
	}
}

// reply takes the answer to a request.
func (h *inside) reply(from netip.Addr, number uint16, payload []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch ask := h.asks[number]; {
	case ask == nil:
		h.wrong("a reply of %v to echo %d, which nobody has sent", from, number)
	case ask.answered:
		h.wrong("%v has answered echo %d twice", from, number)
	case !bytes.Equal(payload, ask.payload):
		h.wrong("echo %d comes back from %v with %d bytes instead of %d, or others", number, from, len(payload), len(ask.payload))
	default:
		ask.answered = true
		close(ask.came)
	}
}

// echoKind are the types of an echo and its protocol number (RFC 792, RFC 4443).
type echoKind struct{ protocol, request, reply byte }

func kindOf(a netip.Addr) echoKind {
	if a.Is4() {
		return echoKind{1, 8, 0}
	}
	return echoKind{58, 128, 129}
}

// echo makes a whole packet.
func echo(from, to netip.Addr, kind byte, number uint16, payload []byte) []byte {
	message := append([]byte{kind, 0, 0, 0, 0, 0, byte(number >> 8), byte(number)}, payload...)
	protocol := kindOf(from).protocol
	var p []byte
	if from.Is4() {
		p = append([]byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0}, append(from.AsSlice(), to.AsSlice()...)...)
		binary.BigEndian.PutUint16(p[2:], uint16(len(p)+len(message)))
		binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p).Checksum())
		binary.BigEndian.PutUint16(message[2:], offload.Sum(0).Bytes(message).Checksum())
	} else {
		p = append([]byte{0x60, 0, 0, 0, byte(len(message) >> 8), byte(len(message)), protocol, 64}, append(from.AsSlice(), to.AsSlice()...)...)
		sum := offload.PseudoHeader(p[8:40], protocol, len(message)).Bytes(message)
		binary.BigEndian.PutUint16(message[2:], sum.Checksum())
	}
	return append(p, message...)
}
