package quantum

import (
	"encoding/binary"

	"golang.org/x/crypto/blake2s"

	"github.com/cvlan/cvlan/internal/base/key"
)

// agreed is what both sides of an exchange derive.
type agreed struct {
	key                   key.Preshared
	answer, confirm, done [proofSize]byte
}

const proofSize = 32

// derive mixes the secret with everything that both sides saw.
func derive(secret []byte, initiator, responder key.WGPublic, exchange uint64, offer, ciphertext []byte) agreed {
	text := append([]byte("cvlan quantum 2 transcript"), initiator[:]...)
	text = append(text, responder[:]...)
	text = binary.BigEndian.AppendUint64(text, exchange)
	text = append(append(text, offer...), ciphertext...) // both have one length
	transcript := blake2s.Sum256(text)

	var a agreed
	a.key = key.RawPreshared(keyed(secret, "cvlan quantum 2 key", transcript[:]))
	a.answer = keyed(secret, "cvlan quantum 2 answer", transcript[:])
	a.confirm = keyed(secret, "cvlan quantum 2 confirm", transcript[:])
	a.done = keyed(secret, "cvlan quantum 2 done", transcript[:])
	return a
}

func keyed(secret []byte, label string, transcript []byte) (sum [proofSize]byte) {
	h, err := blake2s.New256(secret)
	if err != nil {
		panic("quantum: BLAKE2s refuses a key of 32 bytes: " + err.Error())
	}
	h.Write([]byte(label))
	h.Write(transcript)
	h.Sum(sum[:0])
	return sum
}
