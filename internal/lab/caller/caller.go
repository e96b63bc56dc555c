package caller

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// Patience is how long a caller waits for an answer.
const Patience = 15 * time.Second

// Register sends the Register frame of a certificate's holder on a connection of that state, and reads the answer.
func Register(rw io.ReadWriter, state tls.ConnectionState, c tls.Certificate) (w relay.Welcome, err error) {
	hello, err := relay.Introduce(&c, state.ExportKeyingMaterial)
	if err != nil {
		return w, err
	}
	if _, err = rw.Write(hello); err != nil {
		return w, err
	}
	b, err := ReadFrame(rw)
	if err != nil {
		return w, err
	}
	return relay.ReadWelcome(b)
}

// ReadFrame reads a frame off a stream.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

// DialTLS connects and registers. The connection is the caller's to close.
func DialTLS(to string, c tls.Certificate) (*tls.Conn, relay.Welcome, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: Patience}, "tcp", to, ClientTLS())
	if err != nil {
		return nil, relay.Welcome{}, err
	}
	conn.SetDeadline(time.Now().Add(Patience))
	w, err := Register(conn, conn.ConnectionState(), c)
	conn.SetDeadline(time.Time{})
	if err == nil && w.Reason != relay.NoReason {
		err = fmt.Errorf("not registered: %v", w.Reason)
	}
	if err != nil {
		conn.Close()
	}
	return conn, w, err
}

// Caller is a registered client. Its frames travel over whatever Write and Read are.
type Caller struct {
	relay.Welcome
	Write func(frame []byte) error
	Read  func() ([]byte, error) // a frame, which is good until the next Read; it gives up after Patience

	Transaction uint64
	Seen        netip.AddrPort // where the relay sees it
}

// OverUDP lets a client speak over a connected UDP socket.
func OverUDP(w relay.Welcome, u *net.UDPConn) *Caller {
	b := make([]byte, 1<<16)
	return &Caller{
		Welcome: w,
		Write:   func(f []byte) error { _, err := u.Write(f); return err },
		Read: func() ([]byte, error) {
			u.SetReadDeadline(time.Now().Add(Patience))
			n, err := u.Read(b)
			return b[:n], err
		},
	}
}

// OverStream lets a client speak over the connection that it has registered on.
func OverStream(w relay.Welcome, c net.Conn) *Caller {
	return &Caller{
		Welcome: w,
		Write: func(f []byte) error {
			b, err := relay.AppendStream(nil, f)
			if err == nil {
				_, err = c.Write(b)
			}
			return err
		},
		Read: func() ([]byte, error) {
			c.SetReadDeadline(time.Now().Add(Patience))
			return ReadFrame(c)
		},
	}
}

// Receive reads the next frame that is no offer of a channel.
func (c *Caller) Receive() ([]byte, error) {
	for {
		f, err := c.Read()
		if q, ok := relay.ReadControl(f, &c.Secret); err != nil || !ok || q.Kind != relay.Offered {
			return f, err
		}
	}
}

// Control makes the next control frame.
func (c *Caller) Control(q relay.Control) []byte {
	c.Transaction++
	q.Client, q.Transaction = c.Client, c.Transaction
	return q.Append(nil, &c.Secret)
}

// tries is how often a caller asks.
const tries = 4

// Ask sends a control frame and returns its answer; other frames that come meanwhile are lost. Without an answer it asks again.
func (c *Caller) Ask(q relay.Control) (a relay.Control, err error) {
	for range tries {
		if err = c.Write(c.Control(q)); err != nil {
			return a, err
		}
		for err == nil {
			var f []byte
			if f, err = c.Receive(); err != nil {
				break
			}
			if a, ok := relay.ReadControl(f, &c.Secret); ok && a.Transaction == c.Transaction {
				return a, nil
			}
		}
	}
	return a, err
}

// Bind binds the client to where its frames come from, with a cookie if it is asked for one.
func (c *Caller) Bind() error {
	a, err := c.Ask(relay.Control{Kind: relay.Bind})
	if err == nil && a.Kind == relay.Cookie {
		a, err = c.Ask(relay.Control{Kind: relay.Bind, Cookie: a.Cookie})
	}
	if err == nil && a.Kind != relay.Bound {
		err = errors.New("not bound")
	}
	c.Seen = a.Seen
	return err
}

// Channel is one that the caller has opened.
type Channel struct {
	Number relay.Number
	Key    relay.Key
}

// Open opens a channel.
func (c *Caller) Open(to ident.Node) (Channel, error) {
	a, err := c.Ask(relay.Control{Kind: relay.Open, Node: to})
	if err == nil && a.Kind != relay.Opened {
		err = fmt.Errorf("not opened: %v", a.Reason)
	}
	return Channel{a.Channel, relay.ChannelKey(&c.Secret, a.Channel)}, err
}

// Frame makes a Data frame of a payload of at least relay.MinPayload bytes.
func (ch Channel) Frame(payload []byte) []byte {
	f := append(make([]byte, relay.HeaderSize), payload...)
	relay.PutData(f, ch.Number, ch.Key)
	return f
}
