package offload

// MaxPacket is the size of the largest IP packet, joined or not, in bytes.
const MaxPacket = 65535

// MaxSegments bounds the packets of a Super or a Run (Linux: UDP_MAX_SEGMENTS; TCP is bounded by its size).
const MaxSegments = 128

// Protocol says what a train is made of.
type Protocol uint8

// The protocols. None: a packet by itself.
const (
	None Protocol = iota
	TCP
	UDP
)

// Layout describes a train, in the terms of a virtio-net header (virtio 1.2, section 5.1.6).
type Layout struct {
	// Protocol is None for a packet by itself; Segment and Headers are 0 then.
	Protocol Protocol
	// Segment is the payload of each packet but the last, which may be smaller, in bytes.
	Segment int
	// Headers is the length of the IP and transport headers together, in bytes.
	Headers int
	// Partial says that the transport checksum is not done: the 16 bits at Start+Offset hold the sum of the pseudo header, and the
	// checksum over everything from Start on belongs there. A train's never is done.
	Partial       bool
	Start, Offset int
}

// Super is what a kernel hands over: a packet, or a train with its headers once and then the payload of all its packets.
type Super struct {
	Layout
	Packet []byte // from the IP header on
}

// Run is what a kernel is given: the same in pieces, to be written one after another. The first begins with the IP header.
type Run struct {
	Layout
	Parts [][]byte
}
