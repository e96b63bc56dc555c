package stream

import (
	"time"

	"github.com/quic-go/quic-go"

	"github.com/cvlan/cvlan/internal/sys/quicx"
)

// unsent bounds what tryWrite may leave in quic-go's memory before a Write has shown that it went out. quic-go itself takes as
// much as the peer's window allows, and the window is whatever a hostile peer says.
const unsent = 64 << 10

// overQUIC is a carrier: the first stream of a QUIC connection.
type overQUIC struct {
	*quic.Stream
	conn *quic.Conn
	port *quicx.Port // the client's own, closed with the connection; nil at the server
	left int         // bytes that tryWrite took since the last Write; whoever is in the gate may use it
}

func newQUICStream(conn *quic.Conn, s *quic.Stream, port *quicx.Port, limit int) *framed {
	return newFramed(&overQUIC{Stream: s, conn: conn, port: port}, Info{
		Transport: QUIC,
		Local:     quicx.AddrPort(conn.LocalAddr()),
		Remote:    quicx.AddrPort(conn.RemoteAddr()),
		Chain:     conn.ConnectionState().TLS.PeerCertificates,
	}, limit)
}

// heartbeat is a frame that means nothing to anybody: an unknown field with 24 bytes of padding.
//
// The client sends one whenever quicx.KeepAlive has passed. QUIC's own keepalive would hold the connection as well, but its packet is
// too small for a restarted server to answer with a stateless reset: the client would learn of the restart only after the idle timeout.
// Like all data it is acknowledged, and repeated until it is: an answer that fails to come is news.
var heartbeat = append([]byte{30, 0xfa, 0xff, 0xff, 0xff, 0x0f, 24}, make([]byte, 24)...)

// keepBeating starts a client's heartbeat, which tells as well whether the controller answers; it ends with the connection.
func (c *overQUIC) keepBeating(s *framed, w watch) {
	go func() {
		beat, look := time.NewTicker(quicx.KeepAlive), time.NewTimer(quicx.KeepAlive+patience)
		defer beat.Stop()
		defer look.Stop()
		var before uint64 // packets of the controller's when it was asked first
		var asked time.Time
		for {
			select {
			case now := <-beat.C:
				if !w.silent {
					before, asked = c.conn.ConnectionStats().PacketsReceived, now
					look.Reset(patience)
				}
				s.TrySend(heartbeat) // ErrWouldBlock means that more is on its way anyway
			case <-look.C:
				if w.found(c.conn.ConnectionStats().PacketsReceived == before, asked) {
					look.Reset(lookAgain)
				}
			case <-c.conn.Context().Done():
				return
			}
		}
	}()
}

func (c *overQUIC) tryWrite(b []byte) bool {
	if c.left+len(b) > unsent || c.TryWriteAll(b) != nil {
		return false // an error is one of Write's, too
	}
	c.left += len(b)
	return true
}

// Write returns when everything that tryWrite took has left, too, and all of b but what fits one packet.
func (c *overQUIC) Write(b []byte) (int, error) {
	n, err := c.Stream.Write(b)
	if err == nil {
		c.left = 0
	}
	return n, err
}

// finish closes our direction and waits for the peer to close the connection: there is no other word that it has all.
func (c *overQUIC) finish(until time.Time) {
	c.Stream.Close()
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-c.conn.Context().Done():
	case <-t.C:
	}
}

func (c *overQUIC) abort() {
	c.conn.CloseWithError(0, "")
	if c.port != nil {
		c.port.Close()
	}
}
