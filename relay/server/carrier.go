package server

import (
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/proto/relay"
)

const (
	// hurry is how long a peer may take for its Register frame after the handshake, and the relay for the answer.
	hurry = 10 * time.Second
	// stuck is how long a peer may take nothing of what is written to it.
	stuck = 10 * time.Second
)

// carrier is a connection that has registered a client and may carry its frames.
type carrier struct {
	s      *Server
	place  forward.Place
	client relay.Number
	book   *shelf
	box    outbox
	cut    func() // ends the connection at once; may be called again
}

// errRefused ends a connection whose client was not registered.
var errRefused = errors.New("not registered")

// admit makes a carrier of a connection that somebody registers on, or says why not in welcome.
func (s *Server) admit(state *tls.ConnectionState, hello *relay.Hello, from netip.AddrPort, via forward.Via, c *carrier) (welcome relay.Welcome) {
	s.calm.note()
	who, err := s.whose(state, hello)
	if err != nil {
		s.cfg.Log.Debug("not admitted", logx.Peer, from, logx.Err, err)
		return relay.Welcome{Reason: relay.NotPermitted, Version: relay.Version}
	}
	id := s.lastConn.Add(1)
	if id == 0 {
		id = s.lastConn.Add(1)
	}
	c.s, c.place = s, remote(from, via, id)
	c.book = s.books[len(s.sockets.UDP)+int(id)%carrierShelves]
	if !s.carry(c) {
		return relay.Welcome{Reason: relay.Draining, Version: relay.Version}
	}
	welcome.Reason = relay.Busy // if the owner has ended
	s.owner.call(func(m *forward.Machine, now mono.Time, out *forward.Out) {
		if who.relay != 0 {
			welcome = m.RegisterNeighbour(now, who.relay, who.Expires, id, out)
		} else {
			welcome = m.Register(now, who.Admitted, id, out)
		}
	})
	c.client = welcome.Client
	if welcome.Reason != relay.NoReason {
		s.forget(c)
	}
	return welcome
}

// guest is who has connected: a node, or a relay of the region.
type guest struct {
	forward.Admitted
	relay ident.Relay // zero: a node
}

// whose says who registers.
func (s *Server) whose(state *tls.ConnectionState, hello *relay.Hello) (g guest, err error) {
	if state.Version != tls.VersionTLS13 || state.DidResume {
		return g, errors.New("not a full handshake of TLS 1.3")
	}
	c, err := hello.Holder(state.ExportKeyingMaterial)
	if err != nil {
		return g, err
	}
	var end time.Time
	err = errors.ErrUnsupported
	if s.cfg.Region != nil {
		g.relay, end, err = s.cfg.Region.AdmitRelay(c)
	}
	if err != nil {
		g.relay = 0
		g.Tenant, g.Node, end, err = s.cfg.Admit.Admit(c)
	}
	if !end.IsZero() {
		g.Expires = max(1, s.clock.Now().Add(time.Until(end)))
	}
	return g, err
}

// forget ends a carrier's part in the relay, when its connection has ended.
func (s *Server) forget(c *carrier) {
	s.lock.Lock()
	delete(s.carriers, c.place.Conn)
	s.lock.Unlock()
	if c.client != 0 {
		s.owner.call(func(m *forward.Machine, _ mono.Time, out *forward.Out) { m.Ended(c.client, c.place.Conn, out) })
	}
	c.box.close()
}

func (s *Server) carrier(id uint32) *carrier {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.carriers[id]
}

// carry remembers a carrier; false if the server has ended.
func (s *Server) carry(c *carrier) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.ended {
		s.carriers[c.place.Conn] = c
	}
	return !s.ended
}

// cutAll ends all connections, and lets none in from now on.
func (s *Server) cutAll() {
	s.lock.Lock()
	s.ended = true
	all := slices.Collect(maps.Values(s.carriers))
	s.doors.open.shut()
	s.lock.Unlock()
	for _, c := range all {
		c.cut()
	}
}

// greet reads the Register frame and answers it. The connection's deadline bounds it.
func greet(rw io.ReadWriter, register func(*relay.Hello) relay.Welcome) error {
	head := make([]byte, 2, 2+relay.HeaderSize)
	if _, err := io.ReadFull(rw, head); err != nil {
		return err
	}
	n := int(head[0])<<8 | int(head[1])
	if n < relay.HeaderSize || n > relay.MaxRegister {
		return relay.ErrMalformed
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(rw, b); err != nil {
		return err
	}
	hello, err := relay.ReadHello(b)
	if err != nil {
		return err
	}
	w := relay.Welcome{Reason: relay.Unsupported, Version: relay.Version}
	if _, ok := hello.Agree(); ok {
		w = register(&hello)
	}
	answer, err := relay.AppendStream(nil, w.Append(nil))
	if err == nil {
		_, err = rw.Write(answer)
	}
	if err == nil && w.Reason != relay.NoReason {
		err = errRefused
	}
	return err
}

// readSize is how much is read of a stream at a time, in bytes.
const readSize = 64 << 10

// readers are buffers that frames are read into while they come.
var readers = sync.Pool{New: func() any { return new([readSize]byte) }}

// glance is how much a carrier at rest waits for. What comes is read on into a buffer that it has only then.
const glance = 32

// serveStream reads frames until the connection ends.
func (c *carrier) serveStream(r io.Reader) error {
	var first [glance]byte
	for {
		n, err := r.Read(first[:])
		if err != nil {
			return err
		}
		if err := c.rush(r, first[:n]); err != nil {
			return err
		}
	}
}

// rush handles what has been read, and what has come behind it.
func (c *carrier) rush(r io.Reader, first []byte) error {
	b := readers.Get().(*[readSize]byte)
	defer readers.Put(b)
	return c.burst(r, b, copy(b[:], first))
}

// burst handles frames until nothing is left of what has been read; b[:n] has.
func (c *carrier) burst(r io.Reader, b *[readSize]byte, n int) error {
	var batch [64][]byte
	for n > 0 {
		rest, count := b[:n], 0
		for count < len(batch) {
			frame, after, err := relay.NextStream(rest)
			if err != nil {
				return err
			}
			if frame == nil {
				break
			}
			batch[count], rest = frame, after
			count++
		}
		if count > 0 {
			c.handle(batch[:count])
			n = copy(b[:], rest)
			continue
		}
		more, err := r.Read(b[n:])
		if err != nil {
			return err
		}
		n += more
	}
	return nil
}

// handle forwards frames that came on the connection; what comes in QUIC datagrams may be none. It does not keep them.
func (c *carrier) handle(batch [][]byte) {
	if out := c.decide(c.s.clock.Now(), batch); len(out) > 0 {
		c.s.sockets.UDP[0].Send(out)
	}
}

// decide returns what is to be sent over UDP; nil: nothing.
func (c *carrier) decide(now mono.Time, batch [][]byte) (out []sock.Train) {
	s := c.s
	s.lock.RLock()
	defer s.lock.RUnlock()
	c.book.Lock()
	defer c.book.Unlock()
	for _, b := range batch {
		switch kind, ok := relay.KindOf(b); {
		case !ok:
			c.book.Refuse(forward.DropMalformed)
			continue
		case kind != relay.Data:
			c.control(now, b)
			continue
		}
		lane := s.table.Lane(numberOf(b))
		from, to := s.table.Seat(lane.FromSlot), s.table.Seat(lane.ToSlot)
		if d := c.book.Decide(now, &c.place, b, lane, from, to); d != forward.Sent {
			c.fault(now, b, d)
			continue
		}
		s.table.Readdress(b, lane, to)
		if to.Place.Via != forward.UDP {
			s.toCarrier(c.book, to, b)
		} else if len(s.sockets.UDP) > 0 {
			if out == nil {
				out = make([]sock.Train, 0, len(batch))
			}
			out = append(out, sock.Train{Data: b, Segment: len(b), Remote: to.Place.AddrPort(), Local: address(to.Local)})
		}
	}
	return out
}

// control passes a control frame on to the owner.
func (c *carrier) control(now mono.Time, b []byte) {
	_, seat := c.s.table.SeatOf(numberOf(b))
	switch c.book.Control(now, &c.place, b, seat) {
	case forward.Sent:
		if !c.s.owner.offer(asked(c.place, [16]byte{}, b)) {
			c.book.Refuse(forward.DropBusy)
		}
	case forward.DropUnknown:
		c.fault(now, b, forward.DropUnknown)
	}
}

// fault tells the client why its frame went nowhere. The owner is asked to no more often than workers ask it, since it is one for all.
func (c *carrier) fault(now mono.Time, b []byte, d forward.Drop) {
	switch d {
	case forward.DropUnknown:
		if n, ok := relay.NoticeOf(b, relay.Unknown, relay.NoReason); ok {
			c.box.push(n.Append(nil, nil))
		}
	case forward.DropGone:
		if c.book.Notice(now) {
			p := post{src: c.place, about: aFault}
			copy(p.frame[:], b[:relay.MinData])
			c.s.owner.offer(&p)
		}
	}
}
