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
	hintSize   = 8
	headerSize = 2 + hintSize + NonceSize
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

// NewPair derives the keys, which takes about as long as a handshake's message: a receiver that files its peers by Index makes a
// Pair when the first datagram with a peer's hint comes. It fails if the peer's key is not a sound one, or is our own: then a
// datagram that is sent back would open.
func NewPair(mine key.WGPrivate, theirs key.WGPublic) (*Pair, error) {
	private, err := ecdh.X25519().NewPrivateKey(mine.Bytes())
	if err != nil {
		return nil, fmt.Errorf("disco keys: our own: %w", err)
	}
	public, err := ecdh.X25519().NewPublicKey(theirs[:])
	if err != nil {
		return nil, fmt.Errorf("disco keys: the peer's: %w", err)
	}
	our := key.WGPublic(private.PublicKey().Bytes())
	if our == theirs {
		return nil, errors.New("disco keys: the peer's is our own: a node does not speak with itself")
	}
	shared, err := private.ECDH(public)
	if err != nil {
		return nil, fmt.Errorf("disco keys: the peer's: %w", err)
	}
	return &Pair{theirs, Index(our, theirs), direction(shared, our, theirs), direction(shared, theirs, our)}, nil
}

// direction makes the cipher for what one of a pair sends to the other.
func direction(shared []byte, from, to key.WGPublic) cipher.AEAD {
	h, err := blake2s.New256(shared)
	if err != nil {
		panic("disco: BLAKE2s refuses a key of 32 bytes: " + err.Error())
	}
	h.Write([]byte("cvlan disco 1 key"))
	h.Write(from[:])
	h.Write(to[:])
	a, err := chacha20poly1305.NewX(h.Sum(nil))
	if err != nil {
		panic("disco: XChaCha20-Poly1305 refuses 32 bytes: " + err.Error())
	}
	return a
}

// Index is under what a receiver files a sender.
func Index(sender, receiver key.WGPublic) uint64 {
	return short("cvlan disco 1 index", receiver, sender[:])
}

// Sender returns the index of who sealed a datagram for the receiver, as it claims: random for anything else. ok is false if the
// datagram cannot be one.
func Sender(receiver key.WGPublic, b []byte) (index uint64, ok bool) {
	if !plausible(b) {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[2:]) ^ mask(receiver, b[2+hintSize:headerSize]), true
}

func plausible(b []byte) bool {
	return len(b) > Overhead && len(b) <= MaxDatagram && b[0] == Type && b[1] == version
}

// Seal appends a datagram with the message. A nonce is random and never used twice. It fails if the message is not a sound one, and
// allocates nothing if dst has room.
func (p *Pair) Seal(dst []byte, nonce [NonceSize]byte, m *Message) ([]byte, error) {
	start := len(dst)
	b := binary.BigEndian.AppendUint64(append(dst, Type, version), p.index^mask(p.theirs, nonce[:]))
	b = append(b, nonce[:]...)
	body := len(b)
	b, err := m.append(b)
	if err != nil {
		return dst, err
	}
	return p.out.Seal(b[:body], b[body-NonceSize:body], b[body:], b[start:body]), nil
}

// Open reads a datagram of the peer. It decrypts in place: afterwards b is of no use but as what a Part's Data points into.
func (p *Pair) Open(b []byte) (Message, error) {
	if !plausible(b) {
		return Message{}, ErrRefused
	}
	plain, err := p.open.Open(b[headerSize:headerSize], b[2+hintSize:headerSize], b[headerSize:], b[:headerSize])
	if err != nil {
		return Message{}, ErrRefused
	}
	return parse(plain)
}

// mask hides an index on the wire from everybody who does not know the receiver's key.
func mask(receiver key.WGPublic, nonce []byte) uint64 {
	return short("cvlan disco 1 hint", receiver, nonce)
}

// short is the first 8 bytes of a hash. All that it hashes is public, and each label has one length of what follows.
func short(label string, receiver key.WGPublic, rest []byte) uint64 {
	var text [96]byte
	h := blake2s.Sum256(append(append(append(text[:0], label...), receiver[:]...), rest...))
	return binary.BigEndian.Uint64(h[:])
}
