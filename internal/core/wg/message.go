package wg

import "encoding/binary"

// Kind is the type of a WireGuard message, its first byte on the wire (§5.4).
type Kind uint8

// The kinds of message. KindNone is everything that is no WireGuard message.
const (
	KindNone Kind = iota
	KindInitiation
	KindResponse
	KindCookie
	KindTransport
)

// Sizes of messages on the wire, in bytes.
const (
	initiationSize = 148
	responseSize   = 92
	cookieSize     = 64

	// HeaderSize is what precedes the ciphertext of a transport message.
	HeaderSize = 16
	// Overhead is what sealing adds to a padded packet: the header and the tag.
	Overhead = HeaderSize + tagSize
	// KeepaliveSize is a transport message with nothing in it, the smallest there is.
	KeepaliveSize = Overhead

	keySize = 32
	tagSize = 16
	macSize = 16
)

// KindOf tells which message b is by its type field and length alone; nothing is authenticated. It never reads beyond b.
func KindOf(b []byte) Kind {
	if len(b) < 4 || b[1]|b[2]|b[3] != 0 {
		return KindNone
	}
	kind := Kind(b[0])
	switch {
	case kind == KindInitiation && len(b) == initiationSize,
		kind == KindResponse && len(b) == responseSize,
		kind == KindCookie && len(b) == cookieSize,
		kind == KindTransport && len(b) >= KeepaliveSize:
		return kind
	}
	return KindNone
}

// initiation is a view of the first message, §5.4.2. The slice is initiationSize long.
type initiation []byte

func (m initiation) sender() uint32    { return binary.LittleEndian.Uint32(m[4:]) }
func (m initiation) ephemeral() []byte { return m[8:40] }
func (m initiation) static() []byte    { return m[40:88] }
func (m initiation) timestamp() []byte { return m[88:116] }

func (m initiation) begin(sender uint32) {
	binary.LittleEndian.PutUint32(m, uint32(KindInitiation))
	binary.LittleEndian.PutUint32(m[4:], sender)
}

// response is a view of the second message, §5.4.3. The slice is responseSize long.
type response []byte

func (m response) sender() uint32    { return binary.LittleEndian.Uint32(m[4:]) }
func (m response) receiver() uint32  { return binary.LittleEndian.Uint32(m[8:]) }
func (m response) ephemeral() []byte { return m[12:44] }
func (m response) empty() []byte     { return m[44:60] }

func (m response) begin(sender, receiver uint32) {
	binary.LittleEndian.PutUint32(m, uint32(KindResponse))
	binary.LittleEndian.PutUint32(m[4:], sender)
	binary.LittleEndian.PutUint32(m[8:], receiver)
}

// cookieReply is a view of the answer of a machine under load, §5.4.7. The slice is cookieSize long.
type cookieReply []byte

func (m cookieReply) receiver() uint32 { return binary.LittleEndian.Uint32(m[4:]) }
func (m cookieReply) nonce() []byte    { return m[8:32] }
func (m cookieReply) sealed() []byte   { return m[32:64] }

func (m cookieReply) begin(receiver uint32) {
	binary.LittleEndian.PutUint32(m, uint32(KindCookie))
	binary.LittleEndian.PutUint32(m[4:], receiver)
}

// Both handshake messages end in two MACs, §5.4.4.
func mac1Of(m []byte) []byte    { return m[len(m)-2*macSize : len(m)-macSize] }
func mac2Of(m []byte) []byte    { return m[len(m)-macSize:] }
func underMAC1(m []byte) []byte { return m[:len(m)-2*macSize] }
func underMAC2(m []byte) []byte { return m[:len(m)-macSize] }
