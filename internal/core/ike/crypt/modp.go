package crypt

import (
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
)

// modp is Diffie-Hellman modulo a safe prime with generator 2 (RFC 3526), for gear that has nothing better.
//
// The arithmetic of math/big takes a time that depends on the exponent. That is borne because an exponent is fresh, serves one
// exchange, and is used twice; nothing that lives longer may be put here, and FIPS mode has none of it.
type modp struct {
	p, top *big.Int // the prime, and p-2, the largest public value (RFC 6989 §2.1)
	size   int      // bytes of p, and of all that is sent or agreed on (RFC 7296 §2.14, §3.4)
}

type modpOffer struct {
	group modp
	x     *big.Int
}

// exponentBits is twice the strength of the strongest of the groups, which is 150 bits (RFC 3526 §8), and some.
const exponentBits = 384

func newModp(prime string) (Method, error) {
	if fips140.Enabled() {
		return nil, errors.New("key exchange modulo a prime: not in FIPS mode; use ECP_256 or ECP_384")
	}
	p, _ := new(big.Int).SetString(prime, 16)
	return modp{p: p, top: new(big.Int).Sub(p, big.NewInt(2)), size: len(prime) / 2}, nil
}

func (m modp) Offer() (Offer, error) {
	x, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), exponentBits))
	if err != nil {
		return nil, fmt.Errorf("make a key modulo a prime: %w", err)
	}
	return modpOffer{m, x.SetBit(x, exponentBits-1, 1)}, nil
}

func (m modp) Answer(offered []byte) (answer, shared []byte, err error) {
	own, err := m.Offer()
	if err != nil {
		return nil, nil, err
	}
	if shared, err = own.Finish(offered); err != nil {
		return nil, nil, err
	}
	return own.Public(), shared, nil
}

func (o modpOffer) Public() []byte { return o.power(big.NewInt(2)) }

// Finish refuses 0, 1 and p-1, with which the secret would be one of two numbers.
func (o modpOffer) Finish(answer []byte) ([]byte, error) {
	if len(answer) != o.group.size {
		return nil, fmt.Errorf("key exchange modulo a prime: %d bytes, needs %d", len(answer), o.group.size)
	}
	y := new(big.Int).SetBytes(answer)
	if y.Cmp(big.NewInt(1)) <= 0 || y.Cmp(o.group.top) > 0 {
		return nil, errors.New("key exchange modulo a prime: the public value is out of range")
	}
	return o.power(y), nil
}

func (o modpOffer) power(base *big.Int) []byte {
	return new(big.Int).Exp(base, o.x, o.group.p).FillBytes(make([]byte, o.group.size))
}
