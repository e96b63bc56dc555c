package forward

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// cookieLife is how long a cookie is good at least; at most twice as long.
const cookieLife = time.Minute

// jar makes cookies, and keeps none: each is a MAC of what it is good for.
type jar struct{ secret [32]byte }

func (j *jar) bake(now mono.Time, n relay.Number, at *Place) [16]byte {
	return j.of(uint64(now)/uint64(cookieLife), n, at)
}

func (j *jar) good(now mono.Time, n relay.Number, at *Place, c [16]byte) bool {
	age := uint64(now) / uint64(cookieLife)
	a, b := j.of(age, n, at), j.of(age-1, n, at)
	return hmac.Equal(a[:], c[:]) || hmac.Equal(b[:], c[:])
}

func (j *jar) of(age uint64, n relay.Number, at *Place) [16]byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 32), age)
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = append(b, at.IP[:]...)
	b = binary.BigEndian.AppendUint16(b, at.Port)
	h := hmac.New(sha256.New, j.secret[:])
	h.Write(b)
	return [16]byte(h.Sum(nil))
}
