package esp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync/atomic"
)

// cbc is AES-CBC and HMAC-SHA2-256-128 over what it has made (§3.3.2.1: encrypt, then authenticate), in one direction. Neither of the
// standard library's objects for these may be shared, so idle ones are kept.
type cbc struct {
	block cipher.Block
	key   []byte // of the HMAC
	esn   bool
	mode  func(cipher.Block, []byte) cipher.BlockMode // the direction
	idle  [lanes]atomic.Pointer[chain]
}

// chain is what one worker needs for a packet.
type chain struct {
	mode mode
	mac  hash.Hash
	sum  [sha256.Size]byte
	high [4]byte
}

// mode is what the standard library's CBC is.
type mode interface {
	cipher.BlockMode
	SetIV([]byte)
}

func newCBC(key, mac []byte, esn bool, direction func(cipher.Block, []byte) cipher.BlockMode) (*cbc, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &cbc{block: block, key: append([]byte(nil), mac...), esn: esn, mode: direction}, nil
}

const cbcHeader = plainHeader + aes.BlockSize

// seal's IV is the sequence number, encrypted: nobody without the key can foresee it, and no two are the same.
func (c *cbc) seal(msg []byte, n int, seq uint64) {
	w := c.take()
	iv := msg[plainHeader:cbcHeader]
	binary.BigEndian.PutUint64(iv, 0)
	binary.BigEndian.PutUint64(iv[8:], seq)
	c.block.Encrypt(iv, iv)
	body := msg[cbcHeader : cbcHeader+n]
	w.mode.SetIV(iv)
	w.mode.CryptBlocks(body, body)
	copy(msg[cbcHeader+n:], c.prove(w, msg[:cbcHeader+n], seq))
	c.give(w)
}

func (c *cbc) open(msg []byte, seq uint64) ([]byte, bool) {
	body := msg[cbcHeader : len(msg)-tagSize]
	if len(body)%aes.BlockSize != 0 {
		return nil, false
	}
	w := c.take()
	defer c.give(w)
	if !hmac.Equal(c.prove(w, msg[:len(msg)-tagSize], seq), msg[len(msg)-tagSize:]) {
		return nil, false
	}
	w.mode.SetIV(msg[plainHeader:cbcHeader])
	w.mode.CryptBlocks(body, body)
	return body, true
}

// prove is the ICV. With extended sequence numbers it covers the upper half too, as if it came last (§2.2.1).
func (c *cbc) prove(w *chain, msg []byte, seq uint64) []byte {
	w.mac.Reset()
	w.mac.Write(msg)
	if c.esn {
		binary.BigEndian.PutUint32(w.high[:], uint32(seq>>32))
		w.mac.Write(w.high[:])
	}
	return w.mac.Sum(w.sum[:0])[:tagSize]
}

func (c *cbc) take() *chain {
	for i := range c.idle {
		if w := c.idle[i].Swap(nil); w != nil {
			return w
		}
	}
	return &chain{mode: c.mode(c.block, make([]byte, aes.BlockSize)).(mode), mac: hmac.New(sha256.New, c.key)}
}

// give keeps w for the next packet, unless there are enough.
func (c *cbc) give(w *chain) {
	for i := range c.idle {
		if c.idle[i].CompareAndSwap(nil, w) {
			return
		}
	}
}
