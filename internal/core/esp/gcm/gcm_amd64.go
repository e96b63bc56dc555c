//go:build !purego

package gcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math/bits"
	"unsafe"

	"golang.org/x/sys/cpu"
)

const (
	blockSize = aes.BlockSize
	nonceSize = 12
	tagSize   = 16
	stride    = 16 * blockSize          // bytes that are encrypted at a time
	most      = (1<<32 - 2) * blockSize // bytes under one nonce (SP 800-38D §5.2.1.1)
)

// state is what the assembly knows of a key.
type state struct {
	keys   [15][blockSize]byte // of the rounds
	rounds uint64              // 10, 12 or 14
	_      uint64
	powers [16][blockSize]byte // H^16 to H^1, turned around and times x
	halves [16][blockSize]byte // the upper half of each plus its lower one, in the first eight bytes
}

// ending is the end of a packet: what is behind its last whole stride.
type ending struct {
	hash     *byte // a stride that is to be hashed first; nil: there is none
	dst, src *byte
	n        int             // bytes, fewer than a stride
	last     [blockSize]byte // those behind the last whole block, not at src and dst, filled up with zeros
	data     uint64          // bits of all additional data
	text     uint64          // bits of all of the packet
	tag      [blockSize]byte // is made
	counter  uint32          // of the first block
	fresh    bool            // the hash so far is not multiplied yet
	opens    bool            // src is hashed, and not dst
}

// encrypt seals n bytes, a multiple of stride and more than 0. It multiplies acc, to which the additional data have been added, and hashes
// all but the last stride into it.
//
//go:noescape
func encrypt(s *state, nonce *byte, acc *[blockSize]byte, dst, src *byte, n int)

// decrypt opens n bytes, likewise, and hashes all of them.
//
//go:noescape
func decrypt(s *state, nonce *byte, acc *[blockSize]byte, dst, src *byte, n int)

// finish seals or opens the end of a packet, and makes the tag.
//
//go:noescape
func finish(s *state, nonce *byte, acc *[blockSize]byte, e *ending)

// ghash hashes n blocks at src, 1 to 16, into acc, which is turned around.
//
//go:noescape
func ghash(s *state, acc *[blockSize]byte, src *byte, n int)

// substitute puts each byte of w through the S-box of AES.
func substitute(w uint32) uint32

// cpuid7 returns ECX of leaf 7, where VAES and VPCLMULQDQ are.
func cpuid7() (ecx uint32)

// able says that the processor has the instructions, and the system keeps their registers.
var able = cpu.X86.HasAVX2 && cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ && cpuid7()>>9&3 == 3

// Usable says whether this machine has the instructions, and they give right answers.
var Usable = able && right()

// right is the test at the start: known answers that take every way through the assembly, their opening, and the refusal of forgeries.
func right() bool {
	nonce, data := make([]byte, nonceSize), make([]byte, 8)
	for size, tags := range knownTags {
		a, err := New(make([]byte, size))
		if err != nil {
			return false
		}
		for n, tag := range tags {
			plain := make([]byte, n)
			sealed := a.Seal(nil, nonce, plain, data)
			opened, err := a.Open(nil, nonce, sealed, data)
			if err != nil || !bytes.Equal(opened, plain) || string(sealed[n:]) != tag {
				return false
			}
			sealed[0] ^= 1
			if _, err = a.Open(nil, nonce, sealed, data); err == nil {
				return false
			}
		}
	}
	return true
}

// knownTags are those of packets and 8 bytes of additional data, all zero, under a nonce and keys of zeros, by the keys' length and the packets'.
var knownTags = map[int]map[int]string{
	16: {
		170: "\x77\x9c\x6b\x98\xc3\xbd\xd8\x4d\xf9\x9d\x52\x73\xe2\x57\xc0\x3f",
		767: "\xcd\x56\x84\xec\xad\xbb\xa7\x00\x07\xab\x8d\xb0\xb9\xea\x05\x21",
	},
	24: {
		170: "\x22\x42\xae\xc6\xc1\x4d\x3d\xc2\x83\xbd\xb2\x26\x94\x05\x96\xf4",
		767: "\xc5\x73\xe3\xb9\x34\xa1\x2a\x14\xe0\x72\x33\x51\x87\xbe\xf8\x00",
	},
	32: {
		170: "\x3d\xa6\x50\xe8\x26\xf5\xe7\xdd\xf2\x61\xdb\x71\x87\xb9\x36\x53",
		767: "\xd6\xa4\x3e\x9f\x46\xfe\x14\x4d\x95\xda\x5d\xdc\x9b\x9e\xcc\x17",
	},
}

// New returns AES-GCM under a key of 16, 24 or 32 bytes, on a machine where it is Usable.
func New(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	a := &aead{}
	s := &a.state
	s.expand(key)
	var h [blockSize]byte
	block.Encrypt(h[:], h[:])
	s.raise(h)
	return a, nil
}

// expand is the key schedule (FIPS 197 §5.2).
func (s *state) expand(key []byte) {
	n := len(key) / 4
	s.rounds = uint64(n + 6)
	var w [60]uint32
	for i := range n {
		w[i] = binary.BigEndian.Uint32(key[4*i:])
	}
	constant := uint32(1)
	for i := n; i < 4*int(s.rounds+1); i++ {
		t := w[i-1]
		switch {
		case i%n == 0:
			t = substitute(bits.RotateLeft32(t, 8)) ^ constant<<24
			constant = constant<<1 ^ constant>>7*0x11b
		case n > 6 && i%n == 4:
			t = substitute(t)
		}
		w[i] = w[i-n] ^ t
	}
	for i := range 4 * int(s.rounds+1) {
		binary.BigEndian.PutUint32(s.keys[i/4][i%4*4:], w[i])
	}
}

// raise makes the powers of h.
func (s *state) raise(h [blockSize]byte) {
	high, low := binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])
	carry := -(high >> 63)
	high, low = high<<1|low>>63, low<<1
	high, low = high^carry&0xc2<<56, low^carry&1
	var power [blockSize]byte
	binary.LittleEndian.PutUint64(power[:], low)
	binary.LittleEndian.PutUint64(power[8:], high)
	for i := 15; i >= 0; i-- {
		s.powers[i] = power
		subtle.XORBytes(s.halves[i][:8], power[:8], power[8:])
		if i > 0 {
			ghash(s, &power, &zeros[0], 1)
		}
	}
}

var zeros [blockSize]byte

type aead struct{ state }

func (*aead) NonceSize() int { return nonceSize }
func (*aead) Overhead() int  { return tagSize }

var errOpen = errors.New("cipher: message authentication failed")

func (a *aead) Seal(dst, nonce, plaintext, data []byte) []byte {
	if len(nonce) != nonceSize {
		panic("gcm: a nonce must have 12 bytes")
	}
	if uint64(len(plaintext)) > most {
		panic("gcm: message too long")
	}
	n := len(plaintext)
	all, out := grow(dst, n+tagSize)
	refuseOverlap(out[:n], plaintext)

	s := &a.state
	var acc [blockSize]byte
	s.add(&acc, data)
	var e ending
	wide := e.take(out[:n], plaintext, data)
	if wide > 0 {
		encrypt(s, &nonce[0], &acc, &out[0], &plaintext[0], wide)
		e.hash = &out[wide-stride]
	}
	finish(s, &nonce[0], &acc, &e)
	e.give(out[:n])
	copy(out[n:], e.tag[:])
	return all
}

func (a *aead) Open(dst, nonce, sealed, data []byte) ([]byte, error) {
	if len(nonce) != nonceSize {
		panic("gcm: a nonce must have 12 bytes")
	}
	if len(sealed) < tagSize || uint64(len(sealed)) > most+tagSize {
		return nil, errOpen
	}
	n := len(sealed) - tagSize
	all, out := grow(dst, n)
	refuseOverlap(out, sealed[:n])

	s := &a.state
	var acc [blockSize]byte
	s.add(&acc, data)
	var e ending
	wide := e.take(out, sealed[:n], data)
	if wide > 0 {
		decrypt(s, &nonce[0], &acc, &out[0], &sealed[0], wide)
	}
	e.opens = true
	finish(s, &nonce[0], &acc, &e)
	// In constant time, as subtle does it, which goes byte by byte.
	low := binary.LittleEndian.Uint64(e.tag[:]) ^ binary.LittleEndian.Uint64(sealed[n:])
	high := binary.LittleEndian.Uint64(e.tag[8:]) ^ binary.LittleEndian.Uint64(sealed[n+8:])
	if low|high != 0 {
		clear(out)
		return nil, errOpen
	}
	e.give(out)
	return all, nil
}

// take makes e the end of src, and returns where it begins.
func (e *ending) take(dst, src, data []byte) (wide int) {
	n := len(src)
	wide = n &^ (stride - 1)
	e.dst, e.src, e.n = unsafe.SliceData(dst[wide:]), unsafe.SliceData(src[wide:]), n-wide
	e.data, e.text = uint64(len(data))*8, uint64(n)*8
	e.counter, e.fresh = uint32(wide/blockSize+2), wide == 0
	copy(e.last[:], src[n&^(blockSize-1):])
	return wide
}

// give puts the bytes behind the last whole block where they belong.
func (e *ending) give(dst []byte) { copy(dst[len(dst)&^(blockSize-1):], e.last[:]) }

// add hashes the additional data, filled up with zeros, but for the multiplication of their last block.
func (s *state) add(acc *[blockSize]byte, data []byte) {
	for len(data) > blockSize {
		n := min((len(data)-1)/blockSize, 16)
		ghash(s, acc, &data[0], n)
		data = data[n*blockSize:]
	}
	var last [blockSize]byte
	copy(last[:], data)
	low, high := binary.LittleEndian.Uint64(acc[:]), binary.LittleEndian.Uint64(acc[8:])
	binary.LittleEndian.PutUint64(acc[:], low^binary.BigEndian.Uint64(last[8:]))
	binary.LittleEndian.PutUint64(acc[8:], high^binary.BigEndian.Uint64(last[:]))
}

// grow returns dst with room for n bytes more, and that room.
func grow(dst []byte, n int) (all, room []byte) {
	if total := len(dst) + n; cap(dst) >= total {
		all = dst[:total]
	} else {
		all = make([]byte, total)
		copy(all, dst)
	}
	return all, all[len(dst):]
}

// refuseOverlap panics if two slices of one length share memory, unless they are the same.
func refuseOverlap(x, y []byte) {
	if len(x) == 0 || len(y) == 0 || &x[0] == &y[0] {
		return
	}
	if uintptr(unsafe.Pointer(&x[0])) <= uintptr(unsafe.Pointer(&y[len(y)-1])) &&
		uintptr(unsafe.Pointer(&y[0])) <= uintptr(unsafe.Pointer(&x[len(x)-1])) {
		panic("gcm: invalid buffer overlap")
	}
}
