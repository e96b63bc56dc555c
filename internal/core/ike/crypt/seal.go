package crypt

import (
	"errors"
	"fmt"
	"io"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// ErrForged is what Open returns for a message that was not sealed with its keys, or was changed since: it is to be dropped
// without an answer. It does not say what was wrong.
var ErrForged = errors.New("ike message is not authentic")

// MinDatagram is the smallest size into which SealFragments squeezes a message: what IPv4 has to carry whole, less the headers of
// IP and UDP and the non-ESP marker.
const MinDatagram = 576 - 20 - 8 - 4

// A Sealer protects the messages of one direction. It never uses a nonce twice; whoever has to repeat a message keeps its bytes.
type Sealer struct{ p protection }

// An Opener checks and decrypts those that come from the other side.
type Opener struct{ p protection }

// NewSealer takes SK_e and SK_a of our direction. rnd has to be unpredictable.
func (s Suite) NewSealer(encr, auth []byte, rnd io.Reader) (*Sealer, error) {
	p, err := s.direction(encr, auth, rnd)
	if err != nil {
		return nil, err
	}
	return &Sealer{p}, nil
}

// NewOpener takes SK_e and SK_a of the other side's direction.
func (s Suite) NewOpener(encr, auth []byte) (*Opener, error) {
	p, err := s.direction(encr, auth, nil)
	if err != nil {
		return nil, err
	}
	return &Opener{p}, nil
}

func (s Suite) direction(encr, auth []byte, rnd io.Reader) (protection, error) {
	if s.protect == nil || len(encr) != s.encr || len(auth) != s.auth {
		return nil, fmt.Errorf("keys of an IKE SA: %d and %d bytes, needs %d and %d", len(encr), len(auth), s.encr, s.auth)
	}
	return s.protect(encr, auth, rnd)
}

// Seal makes a message with plain in SK, which are payloads as msg.AppendChain writes them: first is the type of the first.
func (s *Sealer) Seal(h msg.Header, first msg.PayloadType, plain []byte) ([]byte, error) {
	return s.seal(plain, func(b []byte, n int) ([]byte, error) { return h.AppendSK(b, first, n) })
}

// SealFragments does the same if the message fits size bytes, and else makes one with SKF for each fragment, all of them within size
// (RFC 7383 §2.5). size counts from the header on, and is at least MinDatagram.
func (s *Sealer) SealFragments(h msg.Header, first msg.PayloadType, plain []byte, size int) ([][]byte, error) {
	if size < MinDatagram {
		return nil, fmt.Errorf("fragments of %d bytes: the least is %d", size, MinDatagram)
	}
	if msg.HeaderSize+msg.GenericSize+s.bodySize(len(plain)) <= size {
		b, err := s.Seal(h, first, plain)
		if err != nil {
			return nil, err
		}
		return [][]byte{b}, nil
	}
	room := s.room(size - msg.HeaderSize - msg.GenericSize - fragNumbers)
	total := (len(plain) + room - 1) / room
	if total > msg.MaxFragments {
		return nil, fmt.Errorf("%d bytes in fragments of %d: more than %d of them", len(plain), size, msg.MaxFragments)
	}
	all := make([][]byte, 0, total)
	for number := 1; number <= total; number++ {
		part := plain[:min(room, len(plain))]
		plain = plain[len(part):]
		b, err := s.seal(part, func(b []byte, n int) ([]byte, error) {
			return h.AppendSKF(b, first, uint16(number), uint16(total), n)
		})
		if err != nil {
			return nil, err
		}
		all, first = append(all, b), msg.NoPayload
	}
	return all, nil
}

const fragNumbers = 4 // bytes between the generic header of SKF and its IV

// seal makes the message that begin begins, given the size of its body. There is one buffer for all of it.
func (s *Sealer) seal(plain []byte, begin func(b []byte, n int) ([]byte, error)) ([]byte, error) {
	size := s.bodySize(len(plain))
	b, err := begin(make([]byte, 0, msg.HeaderSize+msg.GenericSize+fragNumbers+size), size)
	if err != nil {
		return nil, err
	}
	head, pad := len(b), s.padding(len(plain))
	iv, _, _ := s.p.sizes()
	b = append(append(b, make([]byte, iv)...), plain...)
	b = append(append(b, make([]byte, pad)...), byte(pad))
	if b, err = s.p.seal(b, head); err != nil {
		return nil, fmt.Errorf("seal ike message: %w", err)
	}
	return b, nil
}

// padding is how many bytes n bytes and the pad length need to fill blocks.
func (s *Sealer) padding(n int) int {
	_, block, _ := s.p.sizes()
	return (block - (n+1)%block) % block
}

func (s *Sealer) bodySize(n int) int {
	iv, _, icv := s.p.sizes()
	return iv + n + s.padding(n) + 1 + icv
}

// room is how many bytes of plaintext fit into a body of n bytes.
func (s *Sealer) room(n int) int {
	iv, block, icv := s.p.sizes()
	return (n-iv-icv)/block*block - 1
}

// Open returns the payloads in SK of a message, of which raw is all, and overwrites the sealed ones. An error that is not ErrForged
// is a *msg.Error: the message is the peer's, who made it wrong.
func (o *Opener) Open(raw []byte, sk msg.SK) ([]msg.Payload, error) {
	plain, err := o.open(sk.Associated(raw), sk.Body)
	if err != nil {
		return nil, err
	}
	return msg.Chain(sk.First, plain)
}

// OpenPlain returns the bytes of the payloads in SK, for msg.Chain, and overwrites the sealed ones.
func (o *Opener) OpenPlain(raw []byte, sk msg.SK) ([]byte, error) {
	return o.open(sk.Associated(raw), sk.Body)
}

// OpenFragment returns the part of the payloads that is in SKF. All parts of a message, one after the other, are for msg.Chain.
func (o *Opener) OpenFragment(raw []byte, skf msg.SKF) ([]byte, error) {
	return o.open(skf.Associated(raw), skf.Body)
}

func (o *Opener) open(associated, body []byte) ([]byte, error) {
	iv, block, icv := o.p.sizes()
	if text := len(body) - iv - icv; text < 1 || text%block != 0 {
		return nil, ErrForged
	}
	plain, err := o.p.open(associated, body)
	if err != nil {
		return nil, ErrForged
	}
	n := len(plain) - 1 - int(plain[len(plain)-1])
	if n < 0 {
		return nil, &msg.Error{Offset: len(associated), Where: "padding", Why: "more of it than there is", Notify: msg.InvalidSyntax}
	}
	return plain[:n:n], nil
}
