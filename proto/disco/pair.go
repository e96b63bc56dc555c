package disco

import (
	"crypto/cipher"
	"crypto/ecdh"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/cvlan/cvlan/internal/base/key"
)

// Sizes in bytes.
const (
	NonceSize  = chacha20poly1305.NonceSizeX
	headerSize = 2 + 8 + NonceSize
	// Overhead is how much longer a datagram is than its message.
	Overhead = headerSize + chacha20poly1305.Overhead
	// MaxDatagram is the longest datagram: a probe of a path with jumbo frames.
	MaxDatagram = 9216
)

// Type is the first byte of a datagram, and version the second.
const (
	Type    = 0x0C
	version = 1
)

// ErrRefused is the error of Open for a datagram that the peer did not seal for us. It does not say what was wrong.
var ErrRefused = errors.New("disco datagram refused: not sealed by this peer for this node")

// Pair holds the keys between this node and one peer. It is safe for concurrent use.
type Pair struct {
	theirs    key.WGPublic
	index     uint64 // of what we send
	out, open cipher.AEAD
}

// NewPair derives the keys, which takes about as long as a handshake's message. It fails if the peer's key is not a sound one.
func NewPair(mine key.WGPrivate, theirs key.WGPublic) (*Pair, error) {
	private, err := ecdh.X25519().NewPrivateKey(mine.Bytes())
	if err != nil {
		return nil, fmt.Errorf("disco keys: our own: %w", err)
	}
	public, err := ecdh.X25519().NewPublicKey(theirs[:])
	if err != nil {
		return nil, fmt.Errorf("disco keys: the peer's: %w", err)
	}
	shared, err := private.ECDH(public)
	if err != nil {
		return nil, fmt.Errorf("disco keys: the peer's: %w", err)
	}
	our := key.WGPublic(private.PublicKey().Bytes())
	return &Pair{theirs, Index(our, theirs), direction(shared, our, theirs), direction(shared, theirs, our)}, nil
}

func direction(shared []byte, from, to key.WGPublic) cipher.AEAD {
	k := hash(shared, "cvlan disco 1 key", from[:], to[:])
	a, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		panic("disco: XChaCha20-Poly1305 refuses 32 bytes: " + err.Error())
	}
	return a
}

// Index is under what a receiver files a sender.
func Index(sender, receiver key.WGPublic) uint64 {
	h := hash(receiver[:], "cvlan disco 1 index", sender[:])
	return binary.BigEndian.Uint64(h[:])
}

// Sender returns the index of who sealed a datagram for the receiver, as it claims: random for anything else. ok is false if the
// datagram cannot be one.
func Sender(receiver key.WGPublic, b []byte) (index uint64, ok bool) {
	if len(b) < Overhead || len(b) > MaxDatagram || b[0] != Type || b[1] != version {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[2:]) ^ mask(receiver, b[10:headerSize]), true
}

// Seal appends a datagram with the message. A nonce is random and never used twice. It fails if the message is not a sound one.
func (p *Pair) Seal(dst []byte, nonce [NonceSize]byte, m *Message) ([]byte, error) {
	plain, err := m.append(nil)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	dst = append(dst, Type, version)
	dst = binary.BigEndian.AppendUint64(dst, p.index^mask(p.theirs, nonce[:]))
	dst = append(dst, nonce[:]...)
	header := append([]byte(nil), dst[start:]...)
	return p.out.Seal(dst, nonce[:], plain, header), nil
}

// Open reads a datagram of the peer.
func (p *Pair) Open(b []byte) (Message, error) {
	if len(b) < Overhead || len(b) > MaxDatagram || b[0] != Type || b[1] != version {
		return Message{}, ErrRefused
	}
	plain, err := p.open.Open(nil, b[10:headerSize], b[headerSize:], b[:headerSize])
	if err != nil {
		return Message{}, ErrRefused
	}
	return parse(plain)
}

func mask(receiver key.WGPublic, nonce []byte) uint64 {
	h := hash(receiver[:], "cvlan disco 1 hint", nonce)
	return binary.BigEndian.Uint64(h[:])
}

func hash(k []byte, label string, parts ...[]byte) (sum [32]byte) {
	h, err := blake2s.New256(k)
	if err != nil {
		panic("disco: BLAKE2s refuses a key of 32 bytes: " + err.Error())
	}
	h.Write([]byte(label))
	for _, b := range parts {
		h.Write(b)
	}
	h.Sum(sum[:0])
	return sum
}
