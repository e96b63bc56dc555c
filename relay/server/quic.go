package server

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/quicx"
	"github.com/cvlan/cvlan/proto/relay"
)

func (s *Server) openQUIC() (err error) {
	s.quic, err = quicx.Open(quicx.Config{
		Conn: s.sockets.QUIC, Datagrams: true, ResetKey: s.cfg.ResetKey, TokenKey: s.cfg.TokenKey,
		Came: s.sleepers.stir,
		Admit: func(from netip.AddrPort, proven bool) (func(), error) {
			if !proven {
				from = netip.AddrPort{} // who may be forged counts only in the total: else anybody could keep out whom they want
			}
			return s.doors.quic.enter(from.Addr())
		},
	})
	return err
}

// Came is to be told from where something comes on the port of a caller of AttendQUIC (quicx.Config.Came). If it is not, it takes up to a second until a client is heard that has been silent.
func (s *Server) Came(from netip.AddrPort) { s.sleepers.stir(from) }

func (s *Server) acceptQUIC(ctx context.Context) error {
	return s.quic.Serve(ctx, s.tls, s.AttendQUIC)
}

// AttendQUIC serves a QUIC connection whose handshake is done, for callers with a port of their own: see Attend. It returns when the client is registered
// or refused; the connection is the server's.
func (s *Server) AttendQUIC(ctx context.Context, conn *quic.Conn) {
	leave, err := s.doors.open.enter(netip.Addr{})
	if err != nil {
		conn.CloseWithError(0, "")
		return
	}
	c, str, err := s.greetQUIC(ctx, conn)
	if err != nil {
		conn.CloseWithError(0, "")
		leave()
		return
	}
	q := &overQUIC{carrier: c, conn: conn, str: str}
	s.carried.Add(1)
	context.AfterFunc(conn.Context(), func() {
		defer s.carried.Done()
		defer leave()
		s.sleepers.take(q, false)
		c.cut()
		s.forget(c)
	})
	s.carried.Go(q.attend)
}

// greetQUIC registers the client of a connection. Until then it counts as a handshake under way, and its address is known to be its own.
func (s *Server) greetQUIC(ctx context.Context, conn *quic.Conn) (*carrier, *quic.Stream, error) {
	leave, err := s.doors.quic.enter(quicx.AddrPort(conn.RemoteAddr()).Addr())
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	first, cancel := context.WithTimeout(ctx, hurry)
	defer cancel()
	str, err := conn.AcceptStream(first)
	if err != nil {
		return nil, nil, err
	}
	c := &carrier{cut: func() { conn.CloseWithError(0, "") }}
	c.box = outbox{start: s.carried.Go, fail: c.cut, write: func(b []byte) error { return sendOver(conn, str, c.cut, b) }}
	str.SetDeadline(time.Now().Add(hurry))
	state := conn.ConnectionState().TLS
	err = greet(str, func(h *relay.Hello) relay.Welcome {
		return s.admit(&state, h, quicx.AddrPort(conn.RemoteAddr()), forward.Datagram, c)
	})
	if errors.Is(err, errRefused) {
		str.Close()
		lullQUIC(conn)
	}
	if err != nil {
		if c.client != 0 {
			s.forget(c)
		}
		return nil, nil, err
	}
	str.SetDeadline(time.Time{})
	return c, str, nil
}

// lullQUIC waits until the peer has closed, for a second at most: there is no other word that it has read all.
func lullQUIC(conn *quic.Conn) {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-t.C:
	case <-conn.Context().Done():
	}
}

// sendOver sends frames as datagrams, and on the stream what no datagram holds. A datagram waits for room as long as the peer acknowledges nothing, and has no
// deadline: the connection is cut then.
func sendOver(conn *quic.Conn, str *quic.Stream, cut func(), b []byte) error {
	late := time.AfterFunc(stuck, cut)
	defer late.Stop()
	return frames(b, func(frame []byte) error {
		late.Reset(stuck)
		err := conn.SendDatagram(frame)
		if _, large := errors.AsType[*quic.DatagramTooLargeError](err); large {
			str.SetWriteDeadline(time.Now().Add(stuck))
			var whole []byte
			if whole, err = relay.AppendStream(nil, frame); err == nil {
				_, err = str.Write(whole)
			}
		}
		return err
	})
}
