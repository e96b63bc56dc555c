package wg

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.zx2c4.com/wireguard/conn"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// bind is the library's sockets, with handshake initiations going where core/path says. Batches of data pass untouched.
type bind struct {
	std   conn.Bind
	want  uint16 // port; 0: DefaultPort if it is free
	log   *slog.Logger
	clock mono.Clock

	port atomic.Uint32

	mu      sync.Mutex // of what follows; taken for handshakes only
	targets map[key.WGPublic]*target
	hints   map[netip.AddrPort]*target // who answered from there last; one a target
	asked   map[uint32]*target         // whose initiation of that index is unanswered; one a target
}

var (
	_ conn.Bind = (*bind)(nil)

	errNowhere = errors.New("no address of the peer is known")
)

func newBind(want uint16, log *slog.Logger) *bind {
	return &bind{
		std: conn.NewStdNetBind(), want: want, log: log, clock: mono.NewClock(),
		targets: map[key.WGPublic]*target{}, hints: map[netip.AddrPort]*target{}, asked: map[uint32]*target{},
	}
}

// Open implements conn.Bind. The library passes 0 the first time and the port in use after that.
func (b *bind) Open(port uint16) (fns []conn.ReceiveFunc, actual uint16, err error) {
	if port == 0 {
		port = b.want
	}
	if port == 0 {
		if fns, actual, err = b.std.Open(DefaultPort); errors.Is(err, syscall.EADDRINUSE) {
			fns, actual, err = b.std.Open(0)
		}
	} else {
		fns, actual, err = b.std.Open(port)
	}
	if err != nil {
		return nil, 0, err
	}
	b.port.Store(uint32(actual))
	for i, fn := range fns {
		fns[i] = b.receive(fn)
	}
	return fns, actual, nil
}

// receive looks for answers to initiations among the packets of a batch.
func (b *bind) receive(fn conn.ReceiveFunc) conn.ReceiveFunc {
	return func(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		n, err := fn(bufs, sizes, eps)
		for i := range n {
			if sizes[i] == responseSize && bufs[i][0] == responseType {
				b.answered(bufs[i], eps[i])
			}
		}
		return n, err
	}
}

// Send implements conn.Bind.
func (b *bind) Send(bufs [][]byte, ep conn.Endpoint) error {
	switch e := ep.(type) {
	case *conn.StdNetEndpoint:
		if isInitiation(bufs) {
			if t := b.whose(bufs[0], e.AddrPort); t != nil {
				return b.open(bufs, t, e)
			}
		}
		return b.send(bufs, e)
	case *target:
		if isInitiation(bufs) {
			return b.open(bufs, e, nil)
		}
		if last := e.last.Load(); last != nil {
			return b.send(bufs, last)
		}
		return errNowhere
	default:
		return conn.ErrWrongEndpointType
	}
}

// send hands a batch to the sockets. The library sends from the address that it was last reached at; when that is gone, because
// the machine has moved, the system picks another.
func (b *bind) send(bufs [][]byte, e *conn.StdNetEndpoint) error {
	err := b.std.Send(bufs, e)
	if err != nil && sourceGone(err) {
		return b.std.Send(bufs, &conn.StdNetEndpoint{AddrPort: e.AddrPort})
	}
	return err
}

// The rest of conn.Bind.

func (b *bind) Close() error              { return b.std.Close() }
func (b *bind) SetMark(mark uint32) error { return b.std.SetMark(mark) }
func (b *bind) BatchSize() int            { return b.std.BatchSize() }

// ParseEndpoint implements conn.Bind: in our configuration an endpoint is the peer's own key.
func (b *bind) ParseEndpoint(s string) (conn.Endpoint, error) {
	var k key.WGPublic
	if err := k.UnmarshalText([]byte(s)); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.targets[k]
	if t == nil {
		return nil, fmt.Errorf("peer %s is not known", k.Short())
	}
	return t, nil
}
