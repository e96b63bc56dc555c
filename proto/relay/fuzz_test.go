package relay

import (
	"bytes"
	"testing"
)

// FuzzAnythingMayArrive gives arbitrary bytes to every decoder: none panics, and what one accepts, it writes back the same.
func FuzzAnythingMayArrive(f *testing.F) {
	for _, c := range controls() {
		f.Add(c.Append(nil, &secret))
	}
	f.Add(call())
	f.Add(Hello{Min: 1, Max: 1}.Append(nil))
	f.Add(introduction(f))
	w := Welcome{Version: 1, Client: 5, Secret: secret}
	f.Add(w.Append(nil))
	d := make([]byte, 64)
	PutData(d, 7, ChannelKey(&secret, 7))
	f.Add(d)
	n, _ := NoticeOf(d, Closed, Gone)
	f.Add(n.Append(nil, &secret))
	f.Fuzz(func(t *testing.T, b []byte) {
		KindOf(b)
		if IsData(b) {
			Authentic(b, Key{})
		}
		_, _, p, err := ReadDeliver(b)
		if err == nil && len(p) < MinPayload {
			t.Fatal("a payload too short was accepted")
		}
		if c, ok := ReadControl(b, &secret); ok {
			if got, ok := ReadControl(append(c.Append(nil, &secret), Called(b)...), &secret); !ok || got != c {
				t.Fatalf("%+v became %+v", c, got)
			}
		}
		if n, ok := ReadNotice(b, &secret); ok && n.Kind == Closed && !bytes.Equal(n.Append(nil, &secret), zeroed(b)) {
			t.Fatalf("the notice %+v changed", n)
		}
		if h, err := ReadHello(b); err == nil {
			if v, ok := h.Agree(); ok && v == 0 {
				t.Fatal("agreed on no version")
			}
		}
		if w, err := ReadWelcome(b); err == nil {
			if got, err := ReadWelcome(w.Append(nil)); err != nil || got != w {
				t.Fatal("the welcome changed")
			}
		}
		held := b
		for range 1000 {
			frame, rest, err := NextStream(held)
			if err != nil || frame == nil {
				break
			}
			if len(rest) >= len(held) {
				t.Fatal("the stream does not move")
			}
			held = rest
		}
	})
}

// zeroed is a notice with byte 3 as it is written.
func zeroed(b []byte) []byte {
	c := bytes.Clone(b)
	c[3] = 0
	return c
}
