package offload

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// slowFold is RFC 1071 as it is written.
func slowFold(b []byte, initial uint16) uint16 {
	sum := uint32(initial)
	for i, x := range b {
		if i%2 == 0 {
			sum += uint32(x) << 8
		} else {
			sum += uint32(x)
		}
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func TestTheExampleOfRFC1071(t *testing.T) {
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if got := Sum(0).Bytes(b).Fold(); got != 0xddf2 {
		t.Errorf("%#04x, want 0xddf2", got)
	}
}

func TestSumsAreThoseOfTheBook(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for size := range 700 {
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(rnd.Uint32() | rnd.Uint32()>>8) // many ones, so that carries happen
		}
		start := uint16(rnd.Uint32())
		for _, fill := range []bool{false, true} {
			if fill {
				for i := range b {
					b[i] = 0xff
				}
			}
			got, want := Sum(0).Number(uint32(start)).Bytes(b).Fold(), slowFold(b, start)
			if got != want {
				t.Fatalf("%d bytes: %#04x, want %#04x", size, got, want)
			}
		}
	}
}

func TestASumIsTheSameInPieces(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 1000 {
		b := make([]byte, 4+rnd.IntN(300))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		cut := 4 + rnd.IntN(len(b)-3)&^1
		pieces := Sum(0).Bytes(b[4:min(cut, len(b))]).Number(binary.BigEndian.Uint32(b)).Bytes(b[min(cut, len(b)):])
		if got, want := pieces.Fold(), Sum(0).Bytes(b).Fold(); got != want {
			t.Fatalf("cut at %d of %d: %#04x, want %#04x", cut, len(b), got, want)
		}
	}
}

func TestTheExtremesFold(t *testing.T) {
	for s, want := range map[Sum]uint16{0: 0, ^Sum(0): 0xffff, 1 << 63: 0x0080, 0xffff: 0xffff, 0xffff_0001: 0x0100, 1<<32 - 1: 0xffff, 1 << 32: 0x0100} {
		if got := s.Fold(); got != want {
			t.Errorf("%#x folds to %#04x, want %#04x", uint64(s), got, want)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	for _, size := range []int{20, 180, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			s := Sum(0)
			for b.Loop() {
				s = s.Bytes(buf)
			}
		})
	}
}
