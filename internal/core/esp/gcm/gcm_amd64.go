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

// state is what the assembly knows of a key. Its layout is the assembly's, too.
type state struct {
	keys   [15][blockSize]byte // of the rounds
	rounds uint64              // 10, 12 or 14
	_      uint64
	powers [16][blockSize]byte // H^16 to H^1, turned around and times x
	halves [16][blockSize]byte // the upper half of each plus its lower one, in the first eight bytes
}

// encrypt seals n bytes, a multiple of stride and more than 0. It hashes all but the last stride into acc.
//
//go:noescape
func encrypt(s *state, ctr, acc *[blockSize]byte, dst, src *byte, n int)

// decrypt opens n bytes, a multiple of stride and more than 0, and hashes all of them into acc.
//
//go:noescape
func decrypt(s *state, ctr, acc *[blockSize]byte, dst, src *byte, n int)

// stream makes fifteen encrypted counters from ctr on, and encrypts last, both turned around. If hash is not nil it hashes the stride there
// into acc meanwhile.
//
//go:noescape
func stream(s *state, ctr, last, acc *[blockSize]byte, hash *byte, out *[stride]byte)

// ghash hashes n blocks at src and then m at last into acc, which is turned around. n and m may be 0, n+m is 1 to 16.
//
//go:noescape
func ghash(s *state, acc *[blockSize]byte, src *byte, n int, last *byte, m int)

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
	nonce, data, plain := make([]byte, nonceSize), make([]byte, 8), make([]byte, 767)
	for size, tag := range knownTags {
		a, err := New(make([]byte, size))
		if err != nil {
			return false
		}
		sealed := a.Seal(nil, nonce, plain, data)
		opened, err := a.Open(nil, nonce, sealed, data)
		if err != nil || !bytes.Equal(opened, plain) || string(sealed[len(plain):]) != tag {
			return false
		}
		sealed[0] ^= 1
		if _, err = a.Open(nil, nonce, sealed, data); err == nil {
			return false
		}
	}
	return true
}

// knownTags are those of 767 bytes and 8 of additional data, all zero, under a nonce and keys of zeros, by the keys' length.
var knownTags = map[int]string{
	16: "\xcd\x56\x84\xec\xad\xbb\xa7\x00\x07\xab\x8d\xb0\xb9\xea\x05\x21",
	24: "\xc5\x73\xe3\xb9\x34\xa1\x2a\x14\xe0\x72\x33\x51\x87\xbe\xf8\x00",
	32: "\xd6\xa4\x3e\x9f\x46\xfe\x14\x4d\x95\xda\x5d\xdc\x9b\x9e\xcc\x17",
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
			ghash(s, &power, &zeros[0], 1, nil, 0)
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
	counter, zeroth := begin(nonce)
	var acc, mask [blockSize]byte
	var rest [stride]byte
	s.hash(&acc, data)
	wide := n &^ (stride - 1)
	var unhashed *byte
	if wide > 0 {
		encrypt(s, &counter, &acc, &out[0], &plaintext[0], wide)
		unhashed = &out[wide-stride]
	}
	s.stream(&counter, &zeroth, &acc, unhashed, n-wide, &rest, &mask)
	subtle.XORBytes(out[wide:n], plaintext[wide:], rest[:])
	s.finish(&acc, out[wide:n], len(data), n)
	sum := turned(acc)
	subtle.XORBytes(out[n:], mask[:], sum[:])
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
	counter, zeroth := begin(nonce)
	var acc, mask [blockSize]byte
	var rest [stride]byte
	s.hash(&acc, data)
	wide := n &^ (stride - 1)
	if wide > 0 {
		decrypt(s, &counter, &acc, &out[0], &sealed[0], wide)
	}
	s.stream(&counter, &zeroth, nil, nil, n-wide, &rest, &mask)
	s.finish(&acc, sealed[wide:n], len(data), n)
	tag := turned(acc)
	subtle.XORBytes(tag[:], tag[:], mask[:])
	if subtle.ConstantTimeCompare(tag[:], sealed[n:]) != 1 {
		clear(out)
		return nil, errOpen
	}
	subtle.XORBytes(out[wide:], sealed[wide:n], rest[:])
	return all, nil
}

// begin returns, turned around, the first counter, and the block that masks the tag.
func begin(nonce []byte) (counter, zeroth [blockSize]byte) {
	copy(zeroth[:], nonce)
	zeroth[blockSize-1] = 1
	zeroth = turned(zeroth)
	counter = zeroth
	counter[0] = 2
	return counter, zeroth
}

// stream makes the stream for the last n bytes, fewer than a stride, and the mask of the tag.
func (s *state) stream(counter, zeroth, acc *[blockSize]byte, unhashed *byte, n int, rest *[stride]byte, mask *[blockSize]byte) {
	stream(s, counter, zeroth, acc, unhashed, rest)
	copy(mask[:], rest[stride-blockSize:])
	if n <= stride-blockSize {
		return
	}
	// All sixteen blocks are needed.
	last := *counter
	binary.LittleEndian.PutUint32(last[:], binary.LittleEndian.Uint32(last[:])+15)
	stream(s, counter, &last, nil, nil, rest)
}

// hash hashes b, filled up with zeros.
func (s *state) hash(acc *[blockSize]byte, b []byte) {
	for len(b) >= blockSize {
		n := min(len(b)/blockSize, 16)
		ghash(s, acc, &b[0], n, nil, 0)
		b = b[n*blockSize:]
	}
	if len(b) > 0 {
		var last [blockSize]byte
		copy(last[:], b)
		ghash(s, acc, &last[0], 1, nil, 0)
	}
}

// finish hashes the last of the ciphertext, less than a stride, and the lengths of data and text in bytes.
func (s *state) finish(acc *[blockSize]byte, rest []byte, data, text int) {
	var last [2 * blockSize]byte
	lengths := last[:blockSize]
	n := len(rest) / blockSize
	if copy(last[:], rest[n*blockSize:]) > 0 {
		lengths = last[blockSize:]
	}
	m := 1 + (len(last)-cap(lengths))/blockSize
	binary.BigEndian.PutUint64(lengths, uint64(data)*8)
	binary.BigEndian.PutUint64(lengths[8:], uint64(text)*8)
	if n+m > 16 {
		ghash(s, acc, &rest[0], n, nil, 0)
		n = 0
	}
	ghash(s, acc, unsafe.SliceData(rest), n, &last[0], m)
}

// turned turns the bytes of a block around.
func turned(b [blockSize]byte) (t [blockSize]byte) {
	binary.LittleEndian.PutUint64(t[:], binary.BigEndian.Uint64(b[8:]))
	binary.LittleEndian.PutUint64(t[8:], binary.BigEndian.Uint64(b[:]))
	return t
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
