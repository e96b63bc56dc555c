package session

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/netip"
	"sync"

	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// pipe is one end of an in-memory stream, bubble-safe: frames cross as bytes, as they would on a wire.
type pipe struct {
	in, out chan []byte
	mine    *ender
	other   *ender
	chain   []*x509.Certificate
}

type ender struct {
	once sync.Once
	c    chan struct{}
}

func (e *ender) end() { e.once.Do(func() { close(e.c) }) }

func pipes() (a, b *pipe) {
	x, y := make(chan []byte, 64), make(chan []byte, 64)
	ea, eb := &ender{c: make(chan struct{})}, &ender{c: make(chan struct{})}
	return &pipe{in: x, out: y, mine: ea, other: eb}, &pipe{in: y, out: x, mine: eb, other: ea}
}

func (p *pipe) Send(ctx context.Context, frames []byte) error {
	select {
	case <-p.mine.c:
		return io.ErrClosedPipe
	case <-p.other.c:
		return io.ErrClosedPipe
	case p.out <- bytes.Clone(frames):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipe) TrySend(frames []byte) error { return p.Send(context.Background(), frames) }
func (p *pipe) OnReady(func())              {}
func (p *pipe) Limit(int)                   {}
func (p *pipe) Close() error                { p.mine.end(); return nil }
func (p *pipe) Info() stream.Info {
	return stream.Info{Transport: stream.TCP, Remote: netip.MustParseAddrPort("192.0.2.1:443"), Chain: p.chain}
}

func (p *pipe) Recv() (*pb.Frame, error) {
	select {
	case b := <-p.in: // what was sent before the end still arrives
		return control.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 0)
	default:
	}
	select {
	case b := <-p.in:
		return control.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 0)
	case <-p.mine.c:
		return nil, io.ErrClosedPipe
	case <-p.other.c:
		select {
		case b := <-p.in:
			return control.ReadFrame(bufio.NewReader(bytes.NewReader(b)), 0)
		default:
			return nil, io.EOF
		}
	}
}

// network hands the controller's end of each connection to serve, in a goroutine of its own that is waited for.
type network struct {
	serve func(*pipe)
	chain func() []*x509.Certificate // what the controller presents

	mu    sync.Mutex
	down  error
	dials int
	wg    sync.WaitGroup
}

func (n *network) dial(ctx context.Context, t Target) (stream.Stream, error) {
	n.mu.Lock()
	n.dials++
	down := n.down
	n.mu.Unlock()
	if down != nil {
		return nil, down
	}
	if n.chain != nil {
		if err := t.TLS.VerifyConnection(tls.ConnectionState{PeerCertificates: n.chain()}); err != nil {
			return nil, err
		}
	}
	mine, theirs := pipes()
	if t.TLS.GetClientCertificate != nil {
		c, _ := t.TLS.GetClientCertificate(nil)
		for _, der := range c.Certificate {
			leaf, _ := x509.ParseCertificate(der)
			theirs.chain = append(theirs.chain, leaf)
		}
	}
	n.wg.Go(func() {
		defer theirs.Close()
		n.serve(theirs)
	})
	return mine, nil
}

func (n *network) cut(why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = nil
	if why != "" {
		n.down = errors.New(why)
	}
}

func (n *network) tries() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials
}
