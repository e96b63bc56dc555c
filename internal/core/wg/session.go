package wg

import (
	stdcipher "crypto/cipher"
	"encoding/binary"
	"sync/atomic"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Session is one pair of transport keys with its counters, §5.4.6. Apart from the send counter, the replay window and a few
// marks, which are atomic, it never changes. All its methods may be called by any number of goroutines at once, and none
// allocates.
type Session struct {
	seal, open    stdcipher.AEAD
	local, remote uint32
	initiator     bool // we began the handshake that made it
	peer          key.WGPublic
	born          mono.Time
	activity      *activity

	confirmed atomic.Bool // the owner knows that the peer has the keys too
	proven    atomic.Bool // a worker has received something
	stale     atomic.Bool // a worker has found it due for replacement

	_       [64]byte // senders and receivers shall not share a cache line
	counter atomic.Uint64
	_       [64]byte
	window  window
}

// LocalIndex is what the peer writes into packets for this session. It is unique among a machine's installed sessions.
func (s *Session) LocalIndex() uint32 { return s.local }

// Peer is whom the session is with.
func (s *Session) Peer() key.WGPublic { return s.peer }

// Born is when the handshake was completed on this side.
func (s *Session) Born() mono.Time { return s.born }

// Usable reports whether the session may still seal: it is neither too old nor used up.
func (s *Session) Usable(now mono.Time) bool {
	return !s.expired(now) && s.counter.Load() < RejectAfterMessages
}

// Reserve takes n consecutive counters for sealing and returns the first. It takes none and returns false when the session is
// too old or used up; then the engine calls Machine.Wake. A counter may stay unused, but must never be used twice.
func (s *Session) Reserve(now mono.Time, n int) (first uint64, ok bool) {
	if s.expired(now) {
		return 0, false
	}
	for {
		first := s.counter.Load()
		if first >= RejectAfterMessages || uint64(n) > RejectAfterMessages-first {
			return 0, false
		}
		if s.counter.CompareAndSwap(first, first+uint64(n)) {
			return first, true
		}
	}
}

// Seal appends the transport message for plaintext to dst. The plaintext is padded with zeros to a multiple of 16 bytes, but not
// beyond limit, the MTU of the inside (0: no limit), as all implementations do.
//
// To seal in place, let plaintext be buf[HeaderSize:HeaderSize+n] and dst be buf[:0]; buf needs room for the padding and for
// Overhead. Otherwise plaintext and dst must not overlap. Without that room Seal allocates.
func (s *Session) Seal(dst []byte, counter uint64, plaintext []byte, limit int) []byte {
	size := padded(len(plaintext), limit)
	start := len(dst)
	dst = extend(dst, size+Overhead)
	msg := dst[start:]
	body := msg[HeaderSize : HeaderSize+size]
	if size > len(plaintext) {
		if len(plaintext) > 0 && &body[0] != &plaintext[0] {
			copy(body, plaintext)
		}
		clear(body[len(plaintext):])
		plaintext = body
	}

	// The nonce is four zero bytes and the counter. The header holds the counter behind the index, so the nonce is borrowed
	// from there while the index is still zero: a nonce of its own would escape to the heap.
	binary.LittleEndian.PutUint64(msg, uint64(KindTransport))
	binary.LittleEndian.PutUint64(msg[8:], counter)
	s.seal.Seal(body[:0], msg[4:HeaderSize], plaintext, nil) // the cipher copies as it goes
	binary.LittleEndian.PutUint32(msg[4:], s.remote)
	return dst
}

// Open appends the plaintext of a transport message to dst, padding included, if the message is authentic and new. An empty
// plaintext is a keepalive. The result is meaningful only if the Drop is Taken.
//
// To open in place, let dst be packet[HeaderSize:HeaderSize]. Open uses the packet's header as scratch space while it works,
// and whatever the result, in place the ciphertext is lost.
func (s *Session) Open(now mono.Time, dst, packet []byte) ([]byte, Drop) {
	if len(packet) < KeepaliveSize {
		return dst, DropMalformed
	}
	if s.expired(now) {
		return dst, DropExpired
	}
	counter := binary.LittleEndian.Uint64(packet[8:])
	if counter >= receiveLimit {
		return dst, DropReplayed
	}
	index := binary.LittleEndian.Uint32(packet[4:])
	binary.LittleEndian.PutUint32(packet[4:], 0)
	out, err := s.open.Open(dst, packet[4:HeaderSize], packet[HeaderSize:], nil)
	binary.LittleEndian.PutUint32(packet[4:], index)
	if err != nil {
		return dst, DropForged
	}
	if !s.window.accept(counter) {
		return dst, DropReplayed
	}
	return out, Taken
}

// Sent marks that packets were sealed and sent, once for a batch; data is false if all were keepalives.
// It reports whether the owner should be told, by Machine.Attend.
func (s *Session) Sent(now mono.Time, data bool) (tell bool) {
	s.activity.send(now, data)
	if s.initiator && now.Sub(s.born) >= RekeyAfterTime || s.counter.Load() >= RekeyAfterMessages {
		s.stale.Store(true)
	}
	return s.tell()
}

// Received marks that packets were opened, once for a batch; data is false if all were keepalives. from is where they came
// from. It reports whether the owner should be told, by Machine.Attend.
func (s *Session) Received(now mono.Time, from Source, data bool) (tell bool) {
	s.activity.receive(now, data)
	s.activity.heard.Set(from)
	if !s.proven.Load() {
		s.proven.Store(true)
	}
	if s.initiator && now.Sub(s.born) >= lastMinute {
		s.stale.Store(true)
	}
	return s.tell()
}

// tell reports whether something waits that the owner does not know of.
func (s *Session) tell() bool {
	a := s.activity
	return !a.armed.Load() ||
		!s.confirmed.Load() && s.proven.Load() ||
		s.stale.Load() && !a.rekeying.Load() ||
		a.heard.Get() != a.announced.Get()
}

func (s *Session) expired(now mono.Time) bool { return now.Sub(s.born) >= RejectAfterTime }

// padded is the length to which a packet of n bytes is padded.
func padded(n, limit int) int {
	size := (n + 15) &^ 15
	if limit > 0 {
		size = max(n, min(size, limit))
	}
	return size
}

// extend makes room for n more bytes behind b, whose content it does not care about.
func extend(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}
