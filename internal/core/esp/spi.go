package esp

import (
	"encoding/binary"
	"fmt"
)

// SPI names the SA that a packet is for. The receiver chooses it.
type SPI uint32

// String writes it as other implementations do.
func (s SPI) String() string { return fmt.Sprintf("0x%08x", uint32(s)) }

const (
	// ours is how the SPIs that we choose begin: no other protocol on the node's port does (see node/tunnel's demultiplexer).
	ours     = 0x30000000
	oursMask = 0xf0000000
	// leastSPI is the first that is not reserved (§2.1). SPI 0 would be taken for the non-ESP marker.
	leastSPI = 256
)

// own reports whether s is one that we could have chosen.
func (s SPI) own() bool { return s&oursMask == ours }

// Kind is what a datagram on a port of RFC 3948 is.
type Kind uint8

// The kinds.
const (
	Nothing   Kind = iota
	Packet         // ESP
	Message        // IKE, behind MarkerSize bytes of zero
	Keepalive      // of NATs: it says nothing
)

// MarkerSize is the size of the non-ESP marker, which is where ESP has its SPI (RFC 3948 §2.2).
const MarkerSize = 4

// KeepaliveByte is all that a keepalive of NATs consists of (RFC 3948 §2.3).
const KeepaliveByte = 0xff

// KindOf tells what a datagram is.
func KindOf(datagram []byte) Kind {
	switch {
	case len(datagram) == 1 && datagram[0] == KeepaliveByte:
		return Keepalive
	case len(datagram) < MarkerSize:
		return Nothing
	case binary.BigEndian.Uint32(datagram) == 0:
		return Message
	case len(datagram) < plainHeader:
		return Nothing
	}
	return Packet
}
