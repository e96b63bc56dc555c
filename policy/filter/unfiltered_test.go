package filter

import (
	"net/netip"
	"slices"
	"testing"
)

func TestUnfilteredIsWhatNoPacketCanChange(t *testing.T) {
	self, peer := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	whole := func(p uint32) Span { return Span{First: p << 16, Last: p<<16 | 0xffff} }
	ports := func(p, first, last uint32) Span { return Span{First: p<<16 | first, Last: p<<16 | last} }
	every := Span{Last: 1<<24 - 1}
	hole := []Span{{Last: 6<<16 | 24}, {First: 6<<16 | 25, Last: 6<<16 | 25, Deny: true}, {First: 6<<16 | 26, Last: 1<<24 - 1}}
	for name, c := range map[string]struct {
		in, out []Span
		want    []uint8
		ok      bool
	}{
		"everything":                   {[]Span{every}, []Span{every}, nil, true},
		"four protocols":               {[]Span{whole(1), whole(6), whole(17), whole(58)}, []Span{whole(1), whole(6), whole(17), whole(58)}, []uint8{1, 6, 17, 58}, true},
		"a protocol in two pieces":     {[]Span{ports(6, 0, 99), ports(6, 100, 0xffff)}, []Span{whole(6)}, []uint8{6}, true},
		"nothing":                      {nil, nil, nil, false},
		"one direction":                {[]Span{whole(6)}, nil, nil, false},
		"one port":                     {[]Span{ports(6, 22, 22), whole(17)}, []Span{whole(17)}, nil, false},
		"all but one port":             {hole, []Span{every}, nil, false},
		"one more protocol in one way": {[]Span{whole(6), whole(17)}, []Span{whole(6)}, nil, false},
	} {
		s, err := New(&Spec{Local: []Place{{netip.PrefixFrom(self, 32), 0}}, Remote: []Place{{netip.PrefixFrom(peer, 32), 0}}, Locals: 1, Remotes: 1,
			In: []Pair{{List: 1}}, Out: []Pair{{List: 2}}, Lists: [][]Span{nil, c.in, c.out}})
		if err != nil {
			t.Fatal(name, err)
		}
		if got, ok := s.Unfiltered(self, peer); ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
		if _, ok := s.Unfiltered(peer, self); ok {
			t.Error("strangers")
		}
	}
}
