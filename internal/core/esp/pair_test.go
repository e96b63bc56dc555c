package esp

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// suites are all there are.
var suites = []Suite{AES256GCM, AES128GCM, AES192GCM, ChaCha20Poly1305, AES256CBC, AES128CBC, AES256CBCSHA1, AES128CBCSHA1}

// material is keying material for one direction.
func material(s Suite, fill byte) []byte {
	b := make([]byte, s.KeySize())
	for i := range b {
		b[i] = fill + byte(i)
	}
	return b
}

// keysFor are those of both ends of a pair.
func keysFor(s Suite, esn bool) (a, b Keys) {
	a = Keys{Suite: s, Local: 0x31111111, Remote: 0x32222222, In: material(s, 1), Out: material(s, 101), ESN: esn}
	b = a
	b.Local, b.Remote, b.In, b.Out = a.Remote, a.Local, a.Out, a.In
	return a, b
}

// twins are both ends of a pair.
func twins(t testing.TB, s Suite, esn bool, change ...func(*Keys)) (a, b *Pair) {
	t.Helper()
	ka, kb := keysFor(s, esn)
	for _, f := range change {
		f(&ka)
		f(&kb)
	}
	a, err := newPair(ka, 1, 0, new(activity))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = newPair(kb, 1, 0, new(activity)); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// sealed is the datagram for a packet with a number.
func sealed(p *Pair, seq uint64, packet []byte) []byte {
	return p.Seal(make([]byte, 0, len(packet)+Overhead), seq, packet)
}

const noon = mono.Time(time.Minute)

func TestPacketsArriveInEverySuite(t *testing.T) {
	for _, s := range usable() {
		for _, esn := range []bool{false, true} {
			t.Run(fmt.Sprint(s, esn), func(t *testing.T) {
				a, b := twins(t, s, esn)
				inners := [][]byte{nil, sample6(40), sample6(1280)}
				for n := 20; n < 60; n++ {
					inners = append(inners, sample4(n), sample4(n+1300))
				}
				for _, inner := range inners {
					seq, ok := a.Reserve(noon, 1)
					msg := sealed(a, seq, inner)
					if !ok || len(msg) > len(inner)+Overhead {
						t.Fatalf("%d bytes become %d", len(inner), len(msg))
					}
					again := bytes.Clone(msg)
					if got, why := b.Open(noon, msg); why != Taken || !bytes.Equal(got, inner) {
						t.Fatalf("%d bytes: %v, %x", len(inner), why, got)
					}
					if _, why := b.Open(noon, again); why != DropReplayed {
						t.Fatalf("a second time: %v", why)
					}
				}
			})
		}
	}
}

// Any bit counts: those of SPI and number are authenticated, those of the rest encrypted.
func TestChangedPacketsAreRefused(t *testing.T) {
	for _, s := range usable() {
		a, b := twins(t, s, true)
		msg := sealed(a, 5, sample4(60))
		for bit := range 8 * len(msg) {
			bad := bytes.Clone(msg)
			bad[bit/8] ^= 1 << (bit % 8)
			if _, why := b.Open(noon, bad); why != DropForged && (bit/32 != 1 || why != DropReplayed) {
				t.Fatalf("%s: bit %d changed: %v", s, bit, why)
			}
		}
		for n := range msg {
			if _, why := b.Open(noon, bytes.Clone(msg[:n])); why != DropForged && why != DropMalformed {
				t.Fatalf("%s: cut to %d: %v", s, n, why)
			}
		}
		if _, why := b.Open(noon, msg); why != Taken {
			t.Fatalf("%s: afterwards: %v", s, why)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, s := range usable() {
		for _, size := range []int{128, 1400} {
			b.Run(fmt.Sprint(s, "/", size), func(b *testing.B) {
				a, _ := twins(b, s, true)
				buf, inner := make([]byte, 2000), sample4(size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					seq, _ := a.Reserve(noon, 1)
					a.Seal(buf[:0], seq, inner)
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, s := range usable() {
		for _, size := range []int{128, 1400} {
			b.Run(fmt.Sprint(s, "/", size), func(b *testing.B) {
				from, to := twins(b, s, true)
				const n = 64
				var sealedOnes, work [n][]byte
				for i := range sealedOnes {
					sealedOnes[i] = sealed(from, uint64(i)+1, sample4(size))
					work[i] = make([]byte, len(sealedOnes[i]))
				}
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					to.window = newWindow(LeastWindow)
					for i := range work {
						copy(work[i], sealedOnes[i])
					}
					b.StartTimer()
					for i := range work {
						if _, why := to.Open(noon, work[i]); why != Taken {
							b.Fatal(why)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/packet")
			})
		}
	}
}

// Whoever seals beside other datagrams counts on it: with Overhead bytes of room nothing moves, and what lies behind stays.
func TestSealingStaysWithinItsRoom(t *testing.T) {
	for _, s := range usable() {
		a, _ := twins(t, s, true)
		for n := 20; n < 100; n++ {
			arena := bytes.Repeat([]byte{0xee}, n+Overhead+8)
			msg := a.Seal(arena[:0:n+Overhead], uint64(n), sample4(n))
			if &msg[0] != &arena[0] || !bytes.Equal(arena[n+Overhead:], bytes.Repeat([]byte{0xee}, 8)) {
				t.Fatalf("%s: %d bytes have moved, or more than their room was written", s, n)
			}
		}
	}
}
