package path

import (
	"fmt"
	"net/netip"
)

// Peer names a peer towards a Finder. The owner gives the numbers out.
type Peer uint32

// Way is how a datagram can go to a peer, or come from it.
type Way struct {
	Relay  uint8          // 0: direct; else the slot of our link to a relay
	Socket uint16         // direct: 0 is the main socket, others were opened on request
	Remote netip.AddrPort // direct: the peer's address
	Local  netip.Addr     // direct: our address; invalid: the system chooses
}

// IsValid reports whether w is a way at all.
func (w Way) IsValid() bool { return w.Relay != 0 || w.Remote.IsValid() }

// Direct reports whether w goes past all relays.
func (w Way) Direct() bool { return w.Relay == 0 && w.Remote.IsValid() }

// same reports whether two ways are one but for the address of ours that the system would choose.
func (w Way) same(v Way) bool {
	return w.Relay == v.Relay && w.Socket == v.Socket && w.Remote == v.Remote
}

// plain returns w in the form in which ways are compared: the remote address not mapped into IPv6.
func (w Way) plain() Way {
	w.Remote = netip.AddrPortFrom(w.Remote.Addr().Unmap(), w.Remote.Port())
	if w.Relay != 0 {
		return Way{Relay: w.Relay}
	}
	return w
}

// String returns a form for people.
func (w Way) String() string {
	switch {
	case w.Relay != 0:
		return fmt.Sprintf("relay %d", w.Relay)
	case !w.Remote.IsValid():
		return "none"
	case w.Socket != 0:
		return fmt.Sprintf("%s (socket %d)", w.Remote, w.Socket)
	}
	return w.Remote.String()
}
