package stun

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// RequestSize is the length of a request in bytes: padded, so that the longest answer of a Server is no longer than the question.
const RequestSize = headerSize + 2*addr6Size + fingerprintSize

const (
	addr4Size  = attrHeaderSize + 8
	addr6Size  = attrHeaderSize + 20
	changeSize = attrHeaderSize + 4
	portSize   = attrHeaderSize + 4
	errorSize  = attrHeaderSize + 4

	maxSoftware = 760 // bytes; RFC 8489 allows 763, and 760 needs no padding
)

// AppendRequest appends a binding request. With a change the answer is wanted from another address of the server.
func AppendRequest(dst []byte, tx TxID, change Change) []byte {
	return AppendSized(dst, tx, change, RequestSize)
}

// AppendRequestTo appends a binding request whose answer is wanted at another port of the asker's.
func AppendRequestTo(dst []byte, tx TxID, port uint16) []byte {
	w := begin(dst, TypeRequest, tx)
	w.attribute(attrResponsePort, 4)
	w.b = append(binary.BigEndian.AppendUint16(w.b, port), 0, 0)
	w.attribute(attrSoftware, RequestSize-headerSize-portSize-attrHeaderSize-fingerprintSize)
	for w.size() < RequestSize-fingerprintSize {
		w.b = append(w.b, ' ')
	}
	w.fingerprint()
	return w.b
}

// AppendSized appends a binding request of size bytes, a multiple of four from RequestSize to MaxMessage: other sizes are changed to
// the nearest below, or to the bound. The answer does not grow with it.
func AppendSized(dst []byte, tx TxID, change Change, size int) []byte {
	w := begin(dst, TypeRequest, tx)
	pad := min(max(size, RequestSize), MaxMessage)&^3 - headerSize - fingerprintSize - attrHeaderSize
	if change != 0 {
		w.attribute(attrChange, 4)
		w.b = binary.BigEndian.AppendUint32(w.b, uint32(change))
		pad -= changeSize
	}
	for pad >= 0 { // SOFTWARE has at most 763 bytes (RFC 8489, section 14.14)
		n := min(pad, maxSoftware)
		w.attribute(attrSoftware, n) // spaces: says nothing about us, and no server needs to understand it
		for range n {
			w.b = append(w.b, ' ')
		}
		pad -= n + attrHeaderSize
	}
	w.fingerprint()
	return w.b
}

// writer appends one message to a buffer that may hold something already.
type writer struct {
	b     []byte
	start int
}

func begin(dst []byte, kind uint16, tx TxID) *writer {
	w := &writer{b: dst, start: len(dst)}
	w.b = binary.BigEndian.AppendUint16(w.b, kind)
	w.b = append(w.b, 0, 0)
	w.b = binary.BigEndian.AppendUint32(w.b, cookie)
	w.b = append(w.b, tx[:]...)
	return w
}

// attribute begins an attribute of n bytes, a multiple of four, and counts it.
func (w *writer) attribute(kind uint16, n int) {
	w.counted(attrHeaderSize + n)
	w.b = binary.BigEndian.AppendUint16(w.b, kind)
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(n))
}

func (w *writer) counted(n int) {
	length := w.b[w.start+2:]
	binary.BigEndian.PutUint16(length, binary.BigEndian.Uint16(length)+uint16(n))
}

func (w *writer) size() int { return len(w.b) - w.start }

// addr appends an address, masked if mask is the message's.
func (w *writer) addr(kind uint16, a netip.AddrPort, masked bool) {
	ip := a.Addr().Unmap().AsSlice()
	w.attribute(kind, 4+len(ip))
	family := byte(1)
	if len(ip) == 16 {
		family = 2
	}
	w.b = append(w.b, 0, family)
	at := len(w.b)
	w.b = binary.BigEndian.AppendUint16(w.b, a.Port())
	w.b = append(w.b, ip...)
	if !masked {
		return
	}
	mask, v := w.b[w.start+4:w.start+headerSize], w.b[at:]
	v[0] ^= mask[0]
	v[1] ^= mask[1]
	for i := range v[2:] {
		v[2+i] ^= mask[i]
	}
}

// fingerprint ends the message (RFC 8489, section 14.7).
func (w *writer) fingerprint() {
	w.counted(fingerprintSize)
	sum := crc32.ChecksumIEEE(w.b[w.start:]) ^ fingerprintXor
	w.b = binary.BigEndian.AppendUint16(w.b, attrFingerprint)
	w.b = binary.BigEndian.AppendUint16(w.b, 4)
	w.b = binary.BigEndian.AppendUint32(w.b, sum)
}

// addrSize is the size of an attribute that holds the address.
func addrSize(a netip.AddrPort) int {
	if a.Addr().Unmap().Is4() {
		return addr4Size
	}
	return addr6Size
}
