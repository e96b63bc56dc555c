package ipam

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestAddressesAreLowAndNeverTheEnds(t *testing.T) {
	for _, c := range []struct {
		in          string
		first, last string
		n           int
	}{
		{"10.7.0.0/16", "10.7.0.2", "10.7.255.254", 65533},
		{"10.7.3.0/24", "10.7.3.2", "10.7.3.254", 253},
		{"192.168.9.8/29", "192.168.9.10", "192.168.9.14", 5},
		{"192.168.9.4/30", "192.168.9.5", "192.168.9.6", 2},
		{"fd00:1:2::/120", "fd00:1:2::2", "fd00:1:2::fe", 253},
	} {
		p := NewPool(netip.MustParsePrefix(c.in))
		if got := capacity(netip.MustParsePrefix(c.in)); got != c.n {
			t.Errorf("%s: capacity %d, want %d", c.in, got, c.n)
		}
		var last netip.Addr
		for i := range c.n {
			a, ok := p.Next()
			if !ok || !p.Take(a) {
				t.Fatalf("%s: address %d is %v, %v", c.in, i, a, ok)
			}
			if i == 0 && a.String() != c.first {
				t.Errorf("%s: first is %v, want %s", c.in, a, c.first)
			}
			last = a
		}
		if last.String() != c.last {
			t.Errorf("%s: last is %v, want %s", c.in, last, c.last)
		}
		if a, ok := p.Next(); ok {
			t.Errorf("%s: a full range gives %v", c.in, a)
		}
	}
}

func TestHugeRangesGiveShortAddresses(t *testing.T) {
	for in, want := range map[string]string{"fd12:3456:789a::/64": "fd12:3456:789a::2", "fd12:3456:789a::/48": "fd12:3456:789a::2", "10.0.0.0/8": "10.0.0.2"} {
		r := netip.MustParsePrefix(in)
		if a, ok := NewPool(r).Next(); !ok || a.String() != want {
			t.Errorf("%s: %v, %v; want %s", in, a, ok, want)
		}
		if n := capacity(r); n != Window-3 {
			t.Errorf("%s: capacity %d, want %d", in, n, Window-3)
		}
	}
	p := NewPool(netip.MustParsePrefix("fd00::/48"))
	for _, far := range []string{"fd00:0:0:1::2", "fd00::8000:0:0:2", "fd00:0:0:8000::2", "fd01::2", "10.0.0.2"} {
		if p.Take(netip.MustParseAddr(far)) {
			t.Errorf("%s was taken from the pool, which would never give it out", far)
		}
	}
}

func TestAReleasedAddressIsGivenAgain(t *testing.T) {
	p := NewPool(netip.MustParsePrefix("10.7.0.0/16"))
	for range 1000 {
		a, _ := p.Next()
		p.Take(a)
	}
	back := netip.MustParseAddr("10.7.1.7")
	p.Release(back)
	p.Release(back)
	if a, _ := p.Next(); a != back || p.Used() != 999 {
		t.Errorf("next is %v of %d used, want %v of 999", a, p.Used(), back)
	}
	if !p.Take(back) || p.Take(back) {
		t.Error("an address must be taken exactly once")
	}
}

// The pool agrees with the plainest one that can be written, whatever is done to it.
func TestPoolAgreesWithAPlainModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := netip.MustParsePrefix(rapid.SampledFrom([]string{"10.7.0.0/24", "10.7.0.0/28", "10.7.0.0/30", "fd00::/120"}).Draw(t, "range"))
		p, taken := NewPool(r), map[netip.Addr]bool{}
		var all []netip.Addr
		for a := r.Addr(); r.Contains(a); a = a.Next() {
			all = append(all, a)
		}
		usable := all[2 : len(all)-1]
		if len(all) == 4 {
			usable = all[1:3]
		}
		isUsable := map[netip.Addr]bool{}
		for _, a := range usable {
			isUsable[a] = true
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			a := rapid.SampledFrom(all).Draw(t, "address")
			if rapid.Bool().Draw(t, "take") {
				if got, want := p.Take(a), isUsable[a] && !taken[a]; got != want {
					t.Fatalf("take %v: %v, want %v", a, got, want)
				}
				if isUsable[a] {
					taken[a] = true
				}
			} else {
				p.Release(a)
				delete(taken, a)
			}
			var want netip.Addr
			for _, a := range usable {
				if !taken[a] {
					want = a
					break
				}
			}
			if got, ok := p.Next(); ok != want.IsValid() || got != want || p.Used() != len(taken) {
				t.Fatalf("next %v, %v of %d used; want %v of %d", got, ok, p.Used(), want, len(taken))
			}
		}
	})
}

// With 100,000 taken a step still costs nanoseconds.
func BenchmarkNextAmong(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := NewPool(netip.MustParsePrefix("10.0.0.0/8"))
			for range n {
				a, _ := p.Next()
				p.Take(a)
			}
			hole := netip.MustParseAddr("10.0.0.9")
			for b.Loop() {
				p.Release(hole)
				a, _ := p.Next()
				p.Take(a)
				a, _ = p.Next()
				p.Take(a)
				p.Release(a)
			}
		})
	}
}

// capacity is how many nodes a range has room for.
func capacity(p netip.Prefix) int {
	q := NewPool(p)
	return int(q.end - q.first())
}
