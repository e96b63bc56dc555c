package esp

import (
	"bytes"
	"testing"
)

// FuzzOpen opens anything: it must not panic, and only what was sealed is taken.
func FuzzOpen(f *testing.F) {
	for _, s := range suites {
		a, _ := twins(f, s, true)
		for _, inner := range [][]byte{nil, sample4(20), sample4(61), sample6(48)} {
			f.Add(uint8(s), sealed(a, 1, inner))
		}
	}
	f.Add(uint8(AES256GCM), []byte{0x32, 0x22, 0x22, 0x22, 0, 0, 0, 1})
	f.Add(uint8(AES256CBC), make([]byte, forms[AES256CBC].least()))
	f.Fuzz(func(t *testing.T, suite uint8, datagram []byte) {
		s := suites[int(suite)%len(suites)]
		a, b := twins(t, s, true)
		good := sealed(a, 1, sample4(61))
		_, why := b.Open(noon, bytes.Clone(datagram))
		if why == Taken && len(datagram) > 0 && datagram[7] != 1 {
			t.Fatalf("%s: %x is taken", s, datagram)
		}
		if got, after := b.Open(noon, good); why != Taken && (after != Taken || !bytes.Equal(got, sample4(61))) {
			t.Fatalf("%s: afterwards %v", s, after)
		}
	})
}

// FuzzPacket takes apart what was encrypted, whoever made it.
func FuzzPacket(f *testing.F) {
	for _, n := range []int{20, 21, 60} {
		body := append(sample4(n), make([]byte, forms[AES256GCM].body(n)-n)...)
		finish(body, n)
		f.Add(body)
		f.Add(append(append(sample4(n), make([]byte, 100)...), 0, nextIPv4)) // TFC padding
	}
	body := append(sample6(40), make([]byte, 4)...)
	finish(body, 40)
	f.Add(body)
	f.Add([]byte{1, 2, 2, nextDummy})
	f.Add([]byte{255, nextIPv4})
	narrow := selectors{theirs: []Selector{{Protocol: 17, FromPort: 53, ToPort: 53, From: Any()[0].From, To: Any()[0].To}}, narrow: true}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) < trailer {
			return
		}
		p, ok := packet(bytes.Clone(body))
		if !ok {
			return
		}
		if len(p) > len(body)-trailer || !bytes.HasPrefix(body, p) {
			t.Fatalf("%x gives %x", body, p)
		}
		if len(p) > 0 {
			narrow.allow(p)
		}
	})
}
