package esp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cvlan/cvlan/internal/core/esp/gcm"
)

// A sealer protects the packets of a sending SA, an opener checks and uncovers those of a receiving one. Any number of workers use either
// at once.
type (
	sealer interface {
		// seal completes msg, which holds SPI, lower sequence number and, behind room for the IV, n bytes to encrypt. It has room for
		// the ICV behind them, and may write anything into its capacity beyond.
		seal(msg []byte, n int, seq uint64)
	}
	opener interface {
		// open returns what was encrypted, in place. Whatever the answer, msg is lost.
		open(msg []byte, seq uint64) ([]byte, bool)
	}
)

// aead is AES-GCM or ChaCha20-Poly1305. Nonce and additional data must lie on the heap, or their escaping there would cost an allocation a
// packet: the nonce is put together where the header lies, and the additional data elsewhere.
type aead struct {
	cipher cipher.AEAD
	salt   [saltSize]byte
	esn    bool
}

const (
	noncePlace = plainHeader - saltSize // the sequence number makes room for the salt, right before the IV
	mostHeader = plainHeader + counterSize
	mostData   = 12 // bytes of additional data: SPI and 64 bits
)

// newAEAD takes the key and the salt of one direction.
func newAEAD(s Suite, key, salt []byte, esn bool) (aead, error) {
	var c cipher.AEAD
	var err error
	if s == ChaCha20Poly1305 {
		c, err = chacha20poly1305.New(key)
	} else {
		c, err = newGCM(key)
	}
	return aead{c, [saltSize]byte(salt), esn}, err
}

// newGCM is AES-GCM whose nonces are counted outside of it: ours, or in FIPS mode, and where the processor has no use for ours, that of the
// FIPS module. Strict FIPS mode refuses cipher.NewGCM for that counting, and has no public constructor for IPsec's nonces. That Reserve never
// hands out a number twice is what makes this safe.
func newGCM(key []byte) (a cipher.AEAD, err error) {
	if gcm.Usable && !fips140.Enabled() {
		return gcm.New(key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	fips140.WithoutEnforcement(func() { a, err = cipher.NewGCM(block) })
	return a, err
}

// data puts the additional data (RFC 4106 §5) into b.
func (a *aead) data(b, msg []byte, seq uint64) []byte {
	copy(b, msg[:4])
	if !a.esn {
		binary.BigEndian.PutUint32(b[4:], uint32(seq))
		return b[:8]
	}
	binary.BigEndian.PutUint64(b[4:], seq)
	return b[:mostData]
}

// nonce puts the salt where the sequence number was.
func (a *aead) nonce(msg []byte) []byte {
	copy(msg[noncePlace:], a.salt[:])
	return msg[noncePlace:mostHeader]
}

// sendingAEAD is an aead that seals.
type sendingAEAD struct{ aead }

func (a *sendingAEAD) seal(msg []byte, n int, seq uint64) {
	binary.BigEndian.PutUint64(msg[plainHeader:], seq)
	data := a.data(msg[len(msg):len(msg)+mostData], msg, seq)
	body := msg[mostHeader : mostHeader+n]
	a.cipher.Seal(body[:0], a.nonce(msg), body, data)
	binary.BigEndian.PutUint32(msg[4:], uint32(seq))
}

// receivingAEAD is an aead that opens. A datagram in its train has no room behind it, so the additional data lie in a lane.
type receivingAEAD struct {
	aead
	lanes [lanes]lane
}

// lanes is how many workers open the packets of one SA at the same moment without an allocation. The network keeps a peer on a socket, so
// more than one is rare.
const lanes = 4

// lane is one worker's for as long as it opens a packet.
type lane struct {
	busy atomic.Bool
	data [mostData]byte
}

func (a *receivingAEAD) open(msg []byte, seq uint64) ([]byte, bool) {
	for i := range a.lanes {
		l := &a.lanes[i]
		if !l.busy.Load() && l.busy.CompareAndSwap(false, true) {
			plain, ok := a.openWith(l.data[:], msg, seq)
			l.busy.Store(false)
			return plain, ok
		}
	}
	return a.openWith(make([]byte, mostData), msg, seq)
}

func (a *receivingAEAD) openWith(b, msg []byte, seq uint64) ([]byte, bool) {
	data := a.data(b, msg, seq)
	body := msg[mostHeader:]
	plain, err := a.cipher.Open(body[:0], a.nonce(msg), body, data)
	return plain, err == nil
}
