// Package stream carries the frames of the node stream over TLS/TCP or QUIC, both on one port number, behind one small
// interface, and ships an in-memory twin.
//
//	node                                          controller
//	Dial ── race of tries ─┬─ QUIC ──────────────── quicx.Port ─── greetQUIC ─┬─ attend ── Handler
//	                       └─ TLS over TCP ──────── greetTCP ── by ALPN ──────┘
//	                                                               └── else ── Web ── http.Server
//
// A Stream is framed (lengths, limits, one writer at a time) on top of a carrier (overTLS, overQUIC, plain). No goroutine belongs to a
// stream at rest, but for whoever blocks in Recv and what watches over a dialed one; a writer exists only while the peer is slower than
// we are.
package stream

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"

	"github.com/cvlan/cvlan/proto/control/pb"
)

// Transport names what carries a stream.
type Transport string

// The transports.
const (
	Auto Transport = "auto" // QUIC first, TLS over TCP 250 ms later; what answered first is remembered for the network
	QUIC Transport = "quic"
	TCP  Transport = "tcp"
)

// ErrWouldBlock is TrySend's answer while earlier frames are still on their way out. Nothing was taken.
var ErrWouldBlock = errors.New("stream: the peer does not take more now")

// Stream carries frames both ways. Send and TrySend may be called from any goroutine, Recv from one at a time.
type Stream interface {
	// Send writes whole encoded frames and returns when the transport has taken them. After an error the stream is of no use.
	Send(ctx context.Context, frames []byte) error
	// TrySend takes all of frames or nothing, and never blocks. One call's worth may be under way (over QUIC also several that make
	// 64 KiB together); until it has gone the answer is ErrWouldBlock. frames must not change afterwards: many receivers may share them.
	TrySend(frames []byte) error
	// OnReady names a function that is called, once for each run of ErrWouldBlock answers, when TrySend would be taken again.
	// It is called from a goroutine of the stream's and must not block. Set it before the first TrySend.
	OnReady(func())
	// Recv returns the next frame whose body is known, and io.EOF when the peer has closed in order. The first bound on its size is the listener's or dialer's; Limit changes it.
	Recv() (*pb.Frame, error)
	// Limit sets how long a received frame may be, in bytes.
	Limit(bytes int)
	// Close ends both directions; what was taken by Send is flushed for a second at most, for which Close waits. Recv and Send return
	// errors from then on.
	Close() error
	// Info says who is at the other end.
	Info() Info
}

// Info describes a stream.
type Info struct {
	Transport Transport
	Local     netip.AddrPort
	Remote    netip.AddrPort // invalid where only a proxy knows it
	Proxy     string         // host:port of the HTTP proxy that the dialer went through; "": none
	// Chain is what the peer presented, leaf first; empty for a machine without a certificate. The listener or dialer has verified it.
	Chain []*x509.Certificate
}
