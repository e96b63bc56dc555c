package tunnel

import "testing"

func TestFirstBytesTellTheProtocol(t *testing.T) {
	long := func(b ...byte) []byte { return append(b, make([]byte, 40)...) }
	for _, c := range []struct {
		b    []byte
		want Class
	}{
		{nil, Unknown}, {[]byte{0xff}, NATKeepalive}, {[]byte{0xfe}, Unknown}, {[]byte{1, 0, 0}, Unknown},
		{long(0, 0, 0, 0), IKE}, {long(1, 0, 0, 0), WireGuard}, {long(2, 0, 0, 0), WireGuard}, {long(3, 0, 0, 0), WireGuard},
		{long(4, 0, 0, 0), WireGuardData}, {[]byte{4, 0, 0, 0, 1, 2, 3, 4}, Unknown}, {long(5, 0, 0, 0), Unknown}, {long(1, 0, 0, 1), Unknown},
		{long(0x30, 1, 2, 3), ESP}, {long(0x3f, 0xff, 0xff, 0xff), ESP}, {[]byte{0x30, 1, 2, 3}, Unknown}, {long(0x40), Unknown}, {long(0xff), Unknown},
	} {
		if got := classify(c.b); got != c.want {
			t.Errorf("% x: %d, want %d", c.b[:min(len(c.b), 5)], got, c.want)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte{4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	f.Add([]byte{0x30, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if c := classify(b); c >= classes {
			t.Fatal(c)
		} else if c.data() {
			c.index(b)
		}
		if _, _, ok := ends(b); ok && len(b) < 20 {
			t.Fatal("ends of a packet that is none")
		}
		if p := trim(b); len(p) > len(b) {
			t.Fatal("longer than it was")
		}
	})
}
