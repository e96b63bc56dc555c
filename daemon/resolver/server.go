package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/cvlan/cvlan/internal/core/names"
)

// Address is where the server listens. The third byte is a C, for CVLAN.
var Address = netip.AddrFrom4([4]byte{127, 0, 67, 53})

// Bounds of what programs of this machine may take.
const (
	maxStreams    = 32               // TCP connections
	streamTimeout = 10 * time.Second // for a question to come in one, and for an answer to leave
	maxAsking     = 128              // questions that others are being asked
)

// sockets are where the server listens: one port, by UDP and TCP.
type sockets struct {
	udp *net.UDPConn
	tcp *net.TCPListener
}

// listen takes port 53, or else one that is free for both.
func listen() (sockets, error) {
	s, err := listenAt(netip.AddrPortFrom(Address, 53))
	for range 8 {
		if err == nil {
			return s, nil
		}
		var free sockets
		if free, err = listenAt(netip.AddrPortFrom(Address, 0)); err == nil {
			return free, nil
		}
	}
	return s, fmt.Errorf("listen for questions about names: %w", err)
}

func listenAt(at netip.AddrPort) (s sockets, err error) {
	if s.udp, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at)); err != nil {
		return s, err
	}
	if s.tcp, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(addrOf(s.udp))); err != nil {
		_ = s.udp.Close()
	}
	return s, err
}

func addrOf(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// server answers what comes in by its sockets.
type server struct {
	sockets
	at       netip.AddrPort
	book     atomic.Pointer[names.Book]
	forward  atomic.Pointer[forwarder]
	counters Counters

	asking  chan struct{} // a place each
	streams chan struct{} // likewise
	all     sync.WaitGroup
	stop    context.CancelFunc
}

// Counters are what the server has done since it began to listen.
type Counters struct {
	Answered, Forwarded, Failed atomic.Uint64
}

// newServer returns one that knows nothing and has no sockets.
func newServer(at netip.AddrPort) *server {
	s := &server{at: at, asking: make(chan struct{}, maxAsking), streams: make(chan struct{}, maxStreams), stop: func() {}}
	s.book.Store(names.NewBook(nil))
	s.forward.Store(&forwarder{})
	return s
}

// serve starts to answer. close ends it.
func serve() (*server, error) {
	own, err := listen()
	if err != nil {
		return nil, err
	}
	s := newServer(addrOf(own.udp))
	s.sockets = own
	ctx, stop := context.WithCancel(context.Background())
	s.stop = func() { stop(); _, _ = own.udp.Close(), own.tcp.Close() }
	s.all.Go(func() { s.datagrams(ctx) })
	s.all.Go(func() { s.connections(ctx) })
	return s, nil
}

// close returns when nothing of the server is left.
func (s *server) close() {
	s.stop()
	s.all.Wait()
}

// datagrams answers what comes by UDP: what is in the book at once, and of the rest each in a goroutine of its own.
func (s *server) datagrams(ctx context.Context) {
	buf, out := make([]byte, names.MaxMessage), make([]byte, 0, names.MaxUDP)
	for ctx.Err() == nil {
		n, from, err := s.udp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil || !from.Addr().Unmap().IsLoopback() {
			continue // an error is that of an answer which nobody wanted any more
		}
		verdict, answer := s.book.Load().Answer(buf[:n], false, out[:0])
		switch verdict {
		case names.Reply:
			s.counters.Answered.Add(1)
			_, _ = s.udp.WriteToUDPAddrPort(answer, from)
		case names.Forward:
			msg := append([]byte(nil), buf[:n]...)
			s.elsewhere(ctx, msg, func() {
				if answer := s.ask(ctx, msg, false); answer != nil {
					_, _ = s.udp.WriteToUDPAddrPort(answer, from)
				}
			}, func(answer []byte) { _, _ = s.udp.WriteToUDPAddrPort(answer, from) })
		}
	}
}

// elsewhere has a question asked elsewhere, if there is a place.
func (s *server) elsewhere(ctx context.Context, msg []byte, ask func(), fail func([]byte)) {
	select {
	case s.asking <- struct{}{}:
		s.all.Go(func() {
			defer func() { <-s.asking }()
			ask()
		})
	default:
		s.counters.Failed.Add(1)
		if v, answer := names.Refuse(msg, dnsmessage.RCodeServerFailure, nil); v == names.Reply {
			fail(answer)
		}
	}
}

// ask has somebody else answer; nil: nobody is to be answered.
func (s *server) ask(ctx context.Context, msg []byte, stream bool) []byte {
	answer, err := s.forward.Load().ask(ctx, msg, stream)
	if err == nil {
		s.counters.Forwarded.Add(1)
		return answer
	}
	code := dnsmessage.RCodeServerFailure
	if errors.Is(err, errNobody) || errors.Is(err, errLoop) {
		code = dnsmessage.RCodeRefused
	} else {
		s.counters.Failed.Add(1)
	}
	if v, refusal := names.Refuse(msg, code, nil); v == names.Reply {
		return refusal
	}
	return nil
}

// connections takes what comes by TCP.
func (s *server) connections(ctx context.Context) {
	for {
		c, err := s.tcp.Accept()
		if err != nil && ctx.Err() != nil {
			return
		} else if err != nil {
			select { // too many files, say
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case s.streams <- struct{}{}:
			s.all.Go(func() {
				defer func() { <-s.streams }()
				unwatch := context.AfterFunc(ctx, func() { _ = c.Close() })
				defer unwatch()
				defer c.Close()
				s.converse(ctx, c)
			})
		default:
			_ = c.Close()
		}
	}
}

// converse answers the questions of a connection, one after the other (RFC 7766).
func (s *server) converse(ctx context.Context, c net.Conn) {
	for {
		_ = c.SetDeadline(time.Now().Add(streamTimeout))
		msg, err := readFramed(c)
		if err != nil {
			return
		}
		answer := s.answer(ctx, msg)
		_ = c.SetDeadline(time.Now().Add(streamTimeout))
		if answer == nil || writeFramed(c, answer) != nil {
			return
		}
	}
}

// answer answers a question that came by TCP, or from this process; nil: there is no answer.
func (s *server) answer(ctx context.Context, msg []byte) []byte {
	verdict, answer := s.book.Load().Answer(msg, true, nil)
	switch verdict {
	case names.Reply:
		s.counters.Answered.Add(1)
		return answer
	case names.Forward:
		return s.ask(ctx, msg, true)
	default:
		return nil
	}
}

// readFramed reads a message behind its length (RFC 1035, section 4.2.2).
func readFramed(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, msg)
	return msg, err
}

func writeFramed(w io.Writer, msg []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
	return err
}
