package offload

import (
	"bytes"
	"testing"
)

// chain is an IPv6 packet with these extension headers, each of its kind and with so many bytes, and 8 bytes of UDP.
func chain(sizes map[int]byte, kinds ...byte) []byte {
	p := append([]byte{0x60, 39: 0}, make([]byte, 8)...)[:40]
	at := 6 // where the next header is named
	for i, kind := range kinds {
		p[at] = kind
		at = len(p)
		h := make([]byte, max(8, sizes[i]))
		if kind == authentication {
			h[1] = byte(len(h)/4 - 2)
		} else if kind != fragment {
			h[1] = byte(len(h)/8 - 1)
		}
		p = append(p, h...)
	}
	p[at] = protocolUDP
	return append(p, make([]byte, 8)...)
}

func TestTheUpperHeaderIsFound(t *testing.T) {
	later := chain(nil, fragment, destinationOptions)
	later[43] = 8
	for name, c := range map[string]struct {
		packet []byte
		want   Upper
	}{
		"IPv4":             {append([]byte{0x45, 9: 17}, make([]byte, 20)...), Upper{Protocol: 17, Start: 20}},
		"IPv4 options":     {append([]byte{0x46, 9: 17}, make([]byte, 20)...), Upper{Protocol: 17, Start: 24}},
		"a first fragment": {append([]byte{0x45, 6: 0x20, 9: 17}, make([]byte, 20)...), Upper{Protocol: 17, Start: 20, Fragment: true}},
		"a later fragment": {append([]byte{0x45, 7: 1, 9: 17}, make([]byte, 20)...), Upper{Protocol: 17, Start: 20, Fragment: true, Later: true}},
		"IPv6":             {chain(nil), Upper{Protocol: 17, Start: 40}},
		"all extensions": {chain(map[int]byte{1: 24, 3: 20}, hopByHop, routing, destinationOptions, authentication),
			Upper{Protocol: 17, Start: 40 + 8 + 24 + 8 + 20}},
		"as many as there may be":  {chain(nil, bytes.Repeat([]byte{destinationOptions}, maxExtensions)...), Upper{Protocol: 17, Start: 40 + 8*maxExtensions}},
		"a first IPv6 fragment":    {chain(nil, hopByHop, fragment), Upper{Protocol: 17, Start: 56, Fragment: true}},
		"a later IPv6 fragment":    {later, Upper{Protocol: destinationOptions, Start: 48, Fragment: true, Later: true}},
		"what is behind encrypted": {append(chain(nil)[:6:6], append([]byte{50}, make([]byte, 40)...)...), Upper{Protocol: 50, Start: 40}},
	} {
		if got, ok := UpperOf(c.packet); !ok || got != c.want {
			t.Errorf("%s: %+v %v, want %+v", name, got, ok, c.want)
		}
		for n := range c.want.Start { // cut short
			if got, ok := UpperOf(c.packet[:n:n]); ok {
				t.Errorf("%s: %+v in the first %d bytes", name, got, n)
			}
		}
	}
	if _, ok := UpperOf(chain(nil, bytes.Repeat([]byte{destinationOptions}, maxExtensions+1)...)); ok {
		t.Error("more extension headers than anybody uses")
	}
}
