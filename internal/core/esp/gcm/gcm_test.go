//go:build amd64 && !purego

package gcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

func need(t testing.TB) {
	t.Helper()
	if !able {
		t.Skip("this processor has no VAES, so packets are sealed by the standard library")
	}
	if !Usable {
		t.Fatal("the known answers are not what this machine makes")
	}
}

// both returns ours and the standard library's.
func both(t testing.TB, key []byte) (ours, theirs cipher.AEAD) {
	t.Helper()
	ours, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// noise returns n bytes that are the same each time.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestWycheproof(t *testing.T) {
	need(t)
	text, err := os.ReadFile("testdata/wycheproof.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		n++
		f := strings.Fields(line)
		var b [6][]byte // key, nonce, data, plaintext, ciphertext, tag
		for i := range b {
			if f[1+i] != "-" {
				if b[i], err = hex.DecodeString(f[1+i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, err := New(b[0])
		if err != nil {
			t.Fatal(err)
		}
		sealed := append(b[4], b[5]...)
		valid := f[7] == "valid"
		if got := a.Seal(nil, b[1], b[3], b[2]); bytes.Equal(got, sealed) != valid {
			t.Errorf("%s: sealed %x", f[0], got)
		}
		if got, err := a.Open(nil, b[1], sealed, b[2]); (err == nil) != valid || valid && !bytes.Equal(got, b[3]) {
			t.Errorf("%s: opened %x, %v", f[0], got, err)
		}
	}
	if n != 197 {
		t.Errorf("%d vectors, want 197", n)
	}
}

func TestEveryLengthIsWhatTheStandardLibraryMakes(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{16, 24, 32} {
		ours, theirs := both(t, noise(r, size))
		for n := range 1600 {
			nonce, plain, data := noise(r, nonceSize), noise(r, n), noise(r, n%45)
			want := theirs.Seal(nil, nonce, plain, data)

			// Elsewhere behind something that stays, and in place, at every alignment.
			at := n % 33
			room := append(noise(r, at), plain...)
			got := ours.Seal(room[:at:at], nonce, plain, data)
			if !bytes.Equal(got[:at], room[:at]) || !bytes.Equal(got[at:], want) {
				t.Fatalf("a key of %d bytes, %d bytes: sealed elsewhere\n%x, want\n%x", size, n, got[at:], want)
			}
			room = append(room, make([]byte, tagSize)...)
			if got = ours.Seal(room[at:at], nonce, room[at:at+n], data); !bytes.Equal(got, want) {
				t.Fatalf("a key of %d bytes, %d bytes: sealed in place\n%x, want\n%x", size, n, got, want)
			}
			opened, err := ours.Open(room[at:at], nonce, room[at:], data)
			if err != nil || !bytes.Equal(opened, plain) {
				t.Fatalf("a key of %d bytes, %d bytes: opened\n%x, want\n%x, %v", size, n, opened, plain, err)
			}
			if opened, err = ours.Open(nil, nonce, want, data); err != nil || !bytes.Equal(opened, plain) {
				t.Fatalf("a key of %d bytes, %d bytes: opened elsewhere\n%x, want\n%x, %v", size, n, opened, plain, err)
			}
		}
	}
}

func TestWhatIsForgedIsRefusedAndLeavesNothing(t *testing.T) {
	need(t)
	r := rand.New(rand.NewPCG(3, 4))
	a, err := New(noise(r, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 16, 100, 240, 241, 256, 300, 1424} {
		nonce, data := noise(r, nonceSize), noise(r, 12)
		sealed := a.Seal(nil, nonce, noise(r, n), data)
		for bit := range 8 * (len(sealed) + len(nonce) + len(data)) {
			all := append(append(bytes.Clone(sealed), nonce...), data...)
			all[bit/8] ^= 1 << (bit % 8)
			s, o, d := all[:len(sealed)], all[len(sealed):len(sealed)+nonceSize], all[len(sealed)+nonceSize:]
			if got, err := a.Open(s[:0], o, s, d); err == nil || got != nil {
				t.Fatalf("%d bytes with bit %d turned were opened", n, bit)
			}
			if !bytes.Equal(s[:n], make([]byte, n)) {
				t.Fatalf("%d bytes with bit %d turned were left uncovered", n, bit)
			}
		}
		for short := range tagSize {
			if _, err := a.Open(nil, nonce, sealed[:short], data); err == nil {
				t.Errorf("%d bytes, shorter than a tag, were opened", short)
			}
		}
	}
}

func TestMisuseIsNoticed(t *testing.T) {
	need(t)
	if _, err := New(make([]byte, 20)); err == nil {
		t.Error("a key of 20 bytes was taken")
	}
	a, _ := both(t, make([]byte, 16))
	room := make([]byte, 100)
	for what, misuse := range map[string]func(){
		"a short nonce":      func() { a.Seal(nil, room[:11], nil, nil) },
		"a long nonce":       func() { a.Open(nil, room[:13], room[:20], nil) },
		"sealing further on": func() { a.Seal(room[1:1], room[:12], room[:30], nil) },
		"opening further on": func() { a.Open(room[8:8], room[:12], room[:60], nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was taken", what)
				}
			}()
			misuse()
		}()
	}
}

func TestNothingIsAllocated(t *testing.T) {
	need(t)
	a, _ := both(t, make([]byte, 32))
	packet := make([]byte, 1424, 1440)
	nonce, data := make([]byte, nonceSize), make([]byte, 12)
	if n := testing.AllocsPerRun(100, func() {
		sealed := a.Seal(packet[:0], nonce, packet, data)
		if _, err := a.Open(sealed[:0], nonce, sealed, data); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a packet, want none", n)
	}
}

func FuzzAgainstTheStandardLibrary(f *testing.F) {
	need(f)
	for _, n := range []int{0, 15, 16, 255, 256, 257, 511, 1424} {
		f.Add(make([]byte, 16+n%3*8), make([]byte, nonceSize), make([]byte, n), make([]byte, n%13))
	}
	f.Fuzz(func(t *testing.T, key, nonce, text, data []byte) {
		if len(nonce) != nonceSize || len(key) != 16 && len(key) != 24 && len(key) != 32 {
			return
		}
		ours, theirs := both(t, key)
		got, want := ours.Seal(nil, nonce, text, data), theirs.Seal(nil, nonce, text, data)
		if !bytes.Equal(got, want) {
			t.Fatalf("sealed %x, want %x", got, want)
		}
		a, errA := ours.Open(nil, nonce, text, data)
		b, errB := theirs.Open(nil, nonce, text, data)
		if (errA == nil) != (errB == nil) || !bytes.Equal(a, b) {
			t.Fatalf("opened %x, %v, want %x, %v", a, errA, b, errB)
		}
		if a, errA = ours.Open(got[:0], nonce, got, data); errA != nil || !bytes.Equal(a, text) {
			t.Fatalf("opened its own as %x, %v", a, errA)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	beside(b, func(a cipher.AEAD, nonce, packet, data []byte) {
		a.Seal(packet[:0], nonce, packet[:len(packet)-tagSize], data)
	})
}

func BenchmarkOpen(b *testing.B) {
	elsewhere := make([]byte, 0, 2048)
	beside(b, func(a cipher.AEAD, nonce, packet, data []byte) {
		if _, err := a.Open(elsewhere, nonce, packet, data); err != nil {
			b.Fatal(err)
		}
	})
}

// beside measures ours and the standard library's for packets of the sizes that a tunnel has.
func beside(b *testing.B, do func(a cipher.AEAD, nonce, packet, data []byte)) {
	need(b)
	ours, theirs := both(b, make([]byte, 32))
	for _, n := range []int{176, 1384, 1424} {
		for name, a := range map[string]cipher.AEAD{"ours": ours, "standard": theirs} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				nonce, data := make([]byte, nonceSize), make([]byte, 8)
				packet := a.Seal(nil, nonce, make([]byte, n), data)
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					do(a, nonce, packet, data)
				}
			})
		}
	}
}
