package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
)

// Conn is a connection to whoever Dial reaches, without the frames of the node stream: for other protocols that run on TLS or on the first stream of a QUIC
// connection.
type Conn struct{ s *framed }

// DialConn connects as Dial does. Nothing keeps the connection alive but what its owner sends (over QUIC also quicx.KeepAlive).
func DialConn(ctx context.Context, cfg DialConfig) (*Conn, error) {
	s, err := cfg.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &Conn{s}, nil
}

// Info says who is at the other end.
func (c *Conn) Info() Info { return c.s.info }

// ExportKeyingMaterial gives what both ends compute from their handshake and nobody else knows (RFC 8446, section 7.5).
func (c *Conn) ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error) {
	var state tls.ConnectionState
	switch over := c.s.c.(type) {
	case *overTLS:
		state = over.ConnectionState()
	case *overQUIC:
		state = over.conn.ConnectionState().TLS
	default:
		return nil, errors.New("stream: the connection has no TLS")
	}
	return state.ExportKeyingMaterial(label, context, length)
}

// Read implements io.Reader. It returns io.EOF when the peer has closed in order.
func (c *Conn) Read(b []byte) (int, error) { return explained(c.s.c.Read(b)) }

// Write implements io.Writer.
func (c *Conn) Write(b []byte) (int, error) { return explained(c.s.c.Write(b)) }

func explained(n int, err error) (int, error) {
	if err != nil {
		err = explain(err)
	}
	return n, err
}

// SetReadDeadline bounds Read, now and later.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.s.c.SetReadDeadline(t) }

// SetWriteDeadline bounds Write, now and later.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.s.c.SetWriteDeadline(t) }

// Close ends both directions at once; what was written may be lost.
func (c *Conn) Close() error {
	c.s.c.abort()
	return nil
}

// Datagrams reports whether both ends take unreliable datagrams (RFC 9221). If not, SendDatagram and ReceiveDatagram return an error.
func (c *Conn) Datagrams() bool {
	q, ok := c.s.c.(*overQUIC)
	if !ok {
		return false
	}
	s := q.conn.ConnectionState().SupportsDatagrams
	return s.Local && s.Remote
}

// ErrTooLarge is SendDatagram's answer to what no datagram holds now; the stream takes it.
var ErrTooLarge = errors.New("stream: too large for a datagram")

var errNoDatagrams = errors.New("stream: the connection has no datagrams")

// SendDatagram sends a copy of b, which may be lost. It waits while the path takes no more.
func (c *Conn) SendDatagram(b []byte) error {
	q, ok := c.s.c.(*overQUIC)
	if !ok {
		return errNoDatagrams
	}
	err := q.conn.SendDatagram(b)
	if _, large := errors.AsType[*quic.DatagramTooLargeError](err); large {
		return ErrTooLarge
	}
	return err
}

// ReceiveDatagram returns the next datagram; it ends with the context or the connection.
func (c *Conn) ReceiveDatagram(ctx context.Context) ([]byte, error) {
	q, ok := c.s.c.(*overQUIC)
	if !ok {
		return nil, errNoDatagrams
	}
	return q.conn.ReceiveDatagram(ctx)
}
