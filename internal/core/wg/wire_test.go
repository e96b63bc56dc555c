package wg

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/tun/tuntest"
)

// The addresses inside the tunnel to a stock device.
var (
	oursInside   = netip.AddrFrom4([4]byte{10, 0, 0, 1})
	theirsInside = netip.AddrFrom4([4]byte{10, 0, 0, 2})
)

// ping is an echo request that differs from all others.
func ping(to, from netip.Addr) []byte {
	p := tuntest.Ping(to, from)
	p = binary.BigEndian.AppendUint64(p, rand.Uint64())
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

// wire is the conn.Bind of a stock device: a channel in each direction.
type wire struct {
	toStock, toUs chan []byte

	mu     sync.Mutex
	closed chan struct{}
	flood  [][]byte // goes to stock before anything else
}

func newWire() *wire {
	return &wire{toStock: make(chan []byte, 1024), toUs: make(chan []byte, 8192)}
}

// inject makes packets arrive at stock as fast as it can read.
func (w *wire) inject(packets [][]byte) {
	w.mu.Lock()
	w.flood = packets
	w.mu.Unlock()
	w.toStock <- []byte{0} // wakes the reader
}

func (w *wire) Open(uint16) ([]conn.ReceiveFunc, uint16, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	closed := make(chan struct{})
	w.closed = closed
	return []conn.ReceiveFunc{func(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		if n := w.drain(bufs, sizes, eps); n > 0 {
			return n, nil
		}
		select {
		case <-closed:
			return 0, net.ErrClosed
		case data := <-w.toStock:
			sizes[0], eps[0] = copy(bufs[0], data), place{}
			return 1, nil
		}
	}}, 51820, nil
}

func (w *wire) drain(bufs [][]byte, sizes []int, eps []conn.Endpoint) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(bufs), len(w.flood))
	for i := range n {
		sizes[i], eps[i] = copy(bufs[i], w.flood[i]), place{}
	}
	w.flood = w.flood[n:]
	return n
}

func (w *wire) Send(bufs [][]byte, _ conn.Endpoint) error {
	for _, b := range bufs {
		select {
		case w.toUs <- append([]byte(nil), b...):
		default: // as a full socket would
		}
	}
	return nil
}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil {
		close(w.closed)
		w.closed = nil
	}
	return nil
}

func (w *wire) SetMark(uint32) error                        { return nil }
func (w *wire) ParseEndpoint(string) (conn.Endpoint, error) { return place{}, nil }
func (w *wire) BatchSize() int                              { return 128 }

// place is the only conn.Endpoint there is.
type place struct{}

func (place) ClearSrc()           {}
func (place) SrcToString() string { return "" }
func (place) DstToString() string { return "192.0.2.1:51820" }
func (place) DstToBytes() []byte  { return []byte{192, 0, 2, 1, 0x6c, 0xca} }
func (place) DstIP() netip.Addr   { return netip.AddrFrom4([4]byte{192, 0, 2, 1}) }
func (place) SrcIP() netip.Addr   { return netip.Addr{} }
