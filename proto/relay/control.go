package relay

import (
	"crypto/hmac"
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/ident"
)

// Control is a control frame. Which of the last fields matter depends on the kind.
type Control struct {
	Kind        Kind
	Reason      Reason
	Client      Number
	Transaction uint64
	Cookie      [16]byte       // Bind, Cookie
	Seen        netip.AddrPort // Bound, Alive; IPv4 is mapped on the wire
	Idle        uint16         // Bound, Alive: seconds after which a silent client is forgotten
	Calls       bool           // Bound, Alive: the relay takes Call
	Node        ident.Node     // Open, Call, Ask: whom the channel is to lead to; Offered: whom it leads to
	Channel     Number         // Opened, Offered, Close, See
	Claim       netip.Addr     // Open, See: where the sender has heard that the node is; invalid: nowhere
	There       bool           // Opened: the relay sees the node at the Claim
	Took        bool           // Opened: the payload of the Call has been sent on
	Tenant      ident.Tenant   // Ask
	From        ident.Node     // Ask: who sends
}

// Append appends the frame, sealed with the client's secret, to b.
func (c *Control) Append(b []byte, s *Secret) []byte {
	at := len(b)
	b = append(b, make([]byte, ControlSize)...)
	f := b[at:]
	f[0], f[1], f[2] = Type, byte(c.Kind), byte(c.Reason)
	binary.BigEndian.PutUint32(f[4:], uint32(c.Client))
	binary.BigEndian.PutUint64(f[8:], c.Transaction)
	body := f[bodyAt:macAt]
	switch c.Kind {
	case Bind, Cookie:
		copy(body, c.Cookie[:])
	case Bound, Alive:
		ip := c.Seen.Addr().As16()
		copy(body, ip[:])
		binary.BigEndian.PutUint16(body[16:], c.Seen.Port())
		binary.BigEndian.PutUint16(body[18:], c.Idle)
		body[20] = bit(c.Calls)
	case Offered:
		binary.BigEndian.PutUint32(body, uint32(c.Channel))
		binary.BigEndian.PutUint64(body[8:], uint64(c.Node)^mask(s, c.Transaction))
	case Open, Call:
		binary.BigEndian.PutUint64(body, uint64(c.Node)^mask(s, c.Transaction))
		if c.Claim.IsValid() {
			ip := c.Claim.As16()
			copy(body[8:], ip[:])
		}
	case Ask:
		binary.BigEndian.PutUint64(body, uint64(c.Tenant))
		binary.BigEndian.PutUint64(body[8:], uint64(c.From))
		binary.BigEndian.PutUint64(body[16:], uint64(c.Node))
		hide(body, s, c.Transaction)
	case Opened, Close, See:
		binary.BigEndian.PutUint32(body, uint32(c.Channel))
		if c.Kind == See && c.Claim.IsValid() {
			ip := c.Claim.As16()
			copy(body[8:], ip[:])
		}
		if c.Kind == Opened {
			body[4], body[5] = bit(c.There), bit(c.Took)
		}
	}
	sum := derive(s, "cvlan relay control v1", f[:macAt])
	copy(f[macAt:], sum[:])
	return b
}

func bit(is bool) byte {
	if is {
		return 1
	}
	return 0
}

// IsControl reports whether b has the form of a control frame. Bytes that must be zero are covered by the MAC and ignored.
func IsControl(b []byte) bool {
	if len(b) < ControlSize || b[0] != Type {
		return false
	}
	switch k := Kind(b[1]); {
	case k == Call:
		return len(b) >= ControlSize+MinPayload && len(b) <= MaxCall
	case k >= Bind && k <= Bye, k == Ask, k == See, k == Offered:
		return len(b) == ControlSize
	}
	return false
}

// Called returns the payload of a Call that IsControl has accepted, nil of any other control frame. It aliases b.
func Called(b []byte) []byte {
	if Kind(b[1]) != Call {
		return nil
	}
	return b[ControlSize:]
}

// IsAnswer reports whether only relays send frames of the kind, and only because of another frame.
func IsAnswer(k Kind) bool {
	switch k {
	case Cookie, Bound, Opened, Offered, Alive, Refused, Closed, Unknown:
		return true
	}
	return false
}

// ReadControl opens a control frame with the client's secret; false if it is none or its MAC is wrong.
func ReadControl(f []byte, s *Secret) (c Control, ok bool) {
	if !IsControl(f) {
		return c, false
	}
	sum := derive(s, "cvlan relay control v1", f[:macAt])
	if !hmac.Equal(sum[:ControlSize-macAt], f[macAt:ControlSize]) {
		return c, false
	}
	c = Control{Kind: Kind(f[1]), Reason: Reason(f[2]), Client: NumberOf(f), Transaction: binary.BigEndian.Uint64(f[8:])}
	body := f[bodyAt:macAt]
	switch c.Kind {
	case Bind, Cookie:
		copy(c.Cookie[:], body)
	case Bound, Alive:
		c.Seen = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[16:]))
		c.Idle = binary.BigEndian.Uint16(body[18:])
		c.Calls = body[20] == 1
	case Offered:
		c.Channel = Number(binary.BigEndian.Uint32(body))
		c.Node = ident.Node(binary.BigEndian.Uint64(body[8:]) ^ mask(s, c.Transaction))
	case Open, Call:
		c.Node = ident.Node(binary.BigEndian.Uint64(body) ^ mask(s, c.Transaction))
		c.Claim = claimed(body)
	case Ask:
		var plain [macAt - bodyAt]byte
		copy(plain[:], body)
		hide(plain[:], s, c.Transaction)
		c.Tenant, c.From = ident.Tenant(binary.BigEndian.Uint64(plain[:])), ident.Node(binary.BigEndian.Uint64(plain[8:]))
		c.Node = ident.Node(binary.BigEndian.Uint64(plain[16:]))
	case Opened, Close, See:
		c.Channel = Number(binary.BigEndian.Uint32(body))
		if c.Kind == See {
			c.Claim = claimed(body)
		}
		c.There, c.Took = c.Kind == Opened && body[4] == 1, c.Kind == Opened && body[5] == 1
	}
	return c, true
}

// claimed reads the address of a node from a body; invalid: there is none.
func claimed(body []byte) netip.Addr {
	if a := netip.AddrFrom16([16]byte(body[8:])).Unmap(); !a.IsUnspecified() {
		return a
	}
	return netip.Addr{}
}

// hide masks a whole body, and unmasks it.
func hide(body []byte, s *Secret, transaction uint64) {
	sum := derive(s, "cvlan relay mask v1", binary.BigEndian.AppendUint64(nil, transaction))
	for i := range body {
		body[i] ^= sum[i]
	}
}

func mask(s *Secret, transaction uint64) uint64 {
	sum := derive(s, "cvlan relay mask v1", binary.BigEndian.AppendUint64(nil, transaction))
	return binary.BigEndian.Uint64(sum[:])
}
