//go:build amd64 && !purego

package gcm

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Nothing may be read or written beyond what was handed over: every slice ends where memory ends, or begins where it begins.
func TestNothingBeyondIsTouched(t *testing.T) {
	need(t)
	page := os.Getpagesize()
	walled := func() []byte {
		m, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Munmap(m) })
		for _, wall := range [][]byte{m[:page], m[2*page:]} {
			if err := unix.Mprotect(wall, unix.PROT_NONE); err != nil {
				t.Fatal(err)
			}
		}
		return m[page : 2*page : 2*page]
	}
	text, nonces, more := walled(), walled(), walled()
	a, err := New(nonces[:32])
	if err != nil {
		t.Fatal(err)
	}
	for n := tagSize; n <= 1500; n++ {
		for _, end := range []bool{false, true} {
			packet, nonce, data := text[:n:n], nonces[:nonceSize], more[:n%32]
			if end {
				packet, nonce, data = text[page-n:], nonces[page-nonceSize:], more[page-n%32:]
			}
			sealed := a.Seal(packet[:0], nonce, packet[:n-tagSize], data)
			if _, err := a.Open(sealed[:0], nonce, sealed, data); err != nil {
				t.Fatal(err)
			}
		}
	}
}
