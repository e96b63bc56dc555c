package esp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"sync/atomic"
)

// cbc is AES-CBC and an HMAC, of which a part is sent, over what it has made (§3.3.2.1: encrypt, then authenticate), in one direction. Neither of the
// standard library's objects for these may be shared, so idle ones are kept.
type cbc struct {
	block cipher.Block
	hash  func() hash.Hash
	icv   int
	key   []byte // of the HMAC
	esn   bool
	mode  func(cipher.Block, []byte) cipher.BlockMode // the direction
	idle  [lanes]atomic.Pointer[chain]
}

// chain is what one worker needs for a packet.
type chain struct {
	mode mode
	mac  hash.Hash
	sum  [sha256.Size]byte // or what of it a shorter hash needs
	high [4]byte
}

// mode is what the standard library's CBC is.
type mode interface {
	cipher.BlockMode
	SetIV([]byte)
}

// newCBC takes the keys of one direction. Strict FIPS mode has no SHA-1, and would panic.
func newCBC(f form, key, mac []byte, esn bool, direction func(cipher.Block, []byte) cipher.BlockMode) (*cbc, error) {
	if f.mac == sha1.Size && fips140.Enforced() {
		return nil, errors.New("HMAC-SHA1 is not allowed in strict FIPS mode")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &cbc{block: block, hash: f.hash, icv: f.icv, key: append([]byte(nil), mac...), esn: esn, mode: direction}, nil
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
	end := len(msg) - c.icv
	body := msg[cbcHeader:end]
	if len(body)%aes.BlockSize != 0 {
		return nil, false
	}
	w := c.take()
	defer c.give(w)
	if !hmac.Equal(c.prove(w, msg[:end], seq), msg[end:]) {
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
	return w.mac.Sum(w.sum[:0])[:c.icv]
}

func (c *cbc) take() *chain {
	for i := range c.idle {
		if w := c.idle[i].Swap(nil); w != nil {
			return w
		}
	}
	return &chain{mode: c.mode(c.block, make([]byte, aes.BlockSize)).(mode), mac: hmac.New(c.hash, c.key)}
}

// give keeps w for the next packet, unless there are enough.
func (c *cbc) give(w *chain) {
	for i := range c.idle {
		if c.idle[i].CompareAndSwap(nil, w) {
			return
		}
	}
}
