package ike

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// cheap is a key exchange that keeps no secrets and costs next to nothing, for worlds in which nobody listens: Diffie-Hellman modulo
// 2^61-1. Its values are as long as those of the method whose place it takes, so that messages come in the same fragments, and their
// every byte counts: a value that did not arrive whole is refused, as the real ones mostly do.
type cheap struct {
	rnd               *rand.Rand
	offered, answered int // bytes
}

type cheapOffer struct {
	of      cheap
	private uint64
}

// cheapSizes are those of the KE payloads, of who offers and who answers.
var cheapSizes = map[msg.TransformID][2]int{
	msg.KECurve25519: {32, 32}, msg.KEP256: {64, 64}, msg.KEP384: {96, 96}, msg.KEP521: {132, 132},
	msg.KEMLKEM768: {1184, 1088}, msg.KEMLKEM1024: {1568, 1568},
}

// cheaply makes the machine's key exchanges cheap ones.
func (m *Machine) cheaply(rnd *rand.Rand) {
	m.method = func(id msg.TransformID) (crypt.Method, error) {
		n, ok := cheapSizes[id]
		if !ok {
			return nil, fmt.Errorf("no cheap %d", id)
		}
		return cheap{rnd, n[0], n[1]}, nil
	}
}

const cheapPrime = 1<<61 - 1

func cheapMul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	_, rest := bits.Div64(hi, lo, cheapPrime)
	return rest
}

func cheapPower(x, e uint64) uint64 {
	y := uint64(1)
	for ; e > 0; e >>= 1 {
		if e&1 == 1 {
			y = cheapMul(y, x)
		}
		x = cheapMul(x, x)
	}
	return y
}

// cheapValue fills n bytes with a number.
func cheapValue(x uint64, n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.BigEndian.AppendUint64(b, x)
		x = x*6364136223846793005 + 1442695040888963407
	}
	return b[:n]
}

func (c cheap) read(b []byte, n int) (uint64, error) {
	if len(b) != n {
		return 0, fmt.Errorf("%d bytes, want %d", len(b), n)
	}
	x := binary.BigEndian.Uint64(b)
	if x <= 1 || x >= cheapPrime || string(cheapValue(x, n)) != string(b) {
		return 0, fmt.Errorf("%x is no number", x)
	}
	return x, nil
}

func (c cheap) Offer() (crypt.Offer, error) {
	return cheapOffer{c, 2 + c.rnd.Uint64N(cheapPrime-3)}, nil
}

func (o cheapOffer) Public() []byte { return cheapValue(cheapPower(37, o.private), o.of.offered) }

func (o cheapOffer) Finish(answer []byte) ([]byte, error) {
	x, err := o.of.read(answer, o.of.answered)
	return cheapValue(cheapPower(x, o.private), 32), err
}

func (c cheap) Answer(offered []byte) (answer, shared []byte, err error) {
	x, err := c.read(offered, c.offered)
	private := 2 + c.rnd.Uint64N(cheapPrime-3)
	return cheapValue(cheapPower(37, private), c.answered), cheapValue(cheapPower(x, private), 32), err
}
