package tunnel

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, model := newTable[int](rapid.Uint64().Draw(t, "seed")), map[address]int{}
		for i := range rapid.IntRange(0, 300).Draw(t, "steps") {
			k := address{rapid.Uint64Range(0, 2).Draw(t, "hi"), rapid.Uint64Range(0, 60).Draw(t, "lo")}
			if rapid.Bool().Draw(t, "remove") {
				table.remove(k)
				delete(model, k)
			} else {
				table.put(k, i)
				model[k] = i
			}
		}
		for hi := range uint64(3) {
			for lo := range uint64(61) {
				k := address{hi, lo}
				got, ok := table.get(k)
				if want, is := model[k]; got != want || ok != is {
					t.Fatalf("%v: %d %v, want %d %v", k, got, ok, want, is)
				}
			}
		}
		if table.n != len(model) {
			t.Fatalf("%d entries, want %d", table.n, len(model))
		}
	})
}

// Whoever reads while others come and go finds what stays.
func TestReadersOfATableNeverMissWhatStays(t *testing.T) {
	table := newTable[uint64](1)
	const stay = 100
	for i := range uint64(stay) {
		table.put(address{lo: i}, i)
	}
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for i := range uint64(stay) {
					if v, ok := table.get(address{lo: i}); !ok || v != i {
						t.Errorf("%d: %d %v", i, v, ok)
						return
					}
				}
			}
		})
	}
	for range 20000 {
		k := address{lo: stay + rand.Uint64N(500)}
		if rand.IntN(2) == 0 {
			table.put(k, 0)
		} else {
			table.remove(k)
		}
	}
	close(stop)
	readers.Wait()
}

func TestTheLongestRangeWins(t *testing.T) {
	r := routes{hosts: newTable[*Peer](0)}
	host, net, wide := new(Peer), new(Peer), new(Peer)
	r.add(netip.MustParsePrefix("10.0.0.0/8"), wide)
	r.add(netip.MustParsePrefix("10.1.0.0/16"), net)
	r.add(netip.MustParsePrefix("10.1.2.3/32"), host)
	r.add(netip.MustParsePrefix("fd00::/8"), wide)
	for a, want := range map[string]*Peer{"10.1.2.3": host, "10.1.2.4": net, "10.2.0.1": wide, "fd12::1": wide, "11.0.0.1": nil, "::1": nil} {
		if got := r.peer(addressOf(netip.MustParseAddr(a))); got != want {
			t.Errorf("%s belongs to the wrong peer", a)
		}
	}
	r.remove(netip.MustParsePrefix("10.1.0.0/16"), wide) // is not its own
	r.remove(netip.MustParsePrefix("10.1.2.3/32"), host)
	if got := r.peer(addressOf(netip.MustParseAddr("10.1.2.3"))); got != net {
		t.Error("the network behind a removed host is not found")
	}
	for _, p := range []string{"10.0.0.0/8", "fd00::/8"} {
		r.remove(netip.MustParsePrefix(p), wide)
	}
	r.remove(netip.MustParsePrefix("10.1.0.0/16"), net)
	if r.prefixes.Load() != nil {
		t.Error("an empty trie is kept")
	}
}

func BenchmarkRoute(b *testing.B) {
	r := routes{hosts: newTable[*Peer](rand.Uint64())}
	base := netip.MustParseAddr("10.0.0.1")
	var all []address
	for range 20000 {
		r.add(netip.PrefixFrom(base, 32), new(Peer))
		all = append(all, addressOf(base))
		base = base.Next()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if r.peer(all[i%64]) == nil {
			b.Fatal("lost")
		}
		i++
	}
}
