package tunnel

import (
	"hash/maphash"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestNoAddressHasMoreThanItsShareWhileThereIsACrowd(t *testing.T) {
	c, s, seed, now := newCrowd(), new(sharing), maphash.MakeSeed(), mono.Time(time.Hour)
	from := func(a string) netip.Addr { return netip.MustParseAddr(a) }
	count := func(a string, n int) (allowed int) {
		for range n {
			if s.allows(now, c, seed, from(a)) {
				allowed++
			}
		}
		return allowed
	}
	if n := count("192.0.2.1", 1000); n != 1000 {
		t.Errorf("%d of 1000 without a crowd", n)
	}
	c.watch(now, Forged)
	if n := count("192.0.2.1", 1000); n != 1000 {
		t.Errorf("%d of 1000: a forgery makes no crowd", n)
	}
	c.watch(now, Challenged)
	if n := count("192.0.2.1", 1000); n != shareBurst {
		t.Errorf("%d at once", n)
	}
	if n := count("2001:db8::1", 1000) + count("2001:db8::2", 1000); n != shareBurst {
		t.Errorf("%d at once of one site", n)
	}
	if n := count("2001:db8:0:1::1", 1000); n != shareBurst {
		t.Errorf("%d at once of another", n)
	}
	allowed := 0
	for range 900 {
		now = now.Add(time.Millisecond)
		allowed += count("192.0.2.1", 1)
	}
	if allowed != int(900*time.Millisecond/shareEvery) {
		t.Errorf("%d in the next 900 ms", allowed)
	}
	now = now.Add(crowdMemory)
	if n := count("192.0.2.1", 1000); n != 1000 {
		t.Errorf("%d of 1000 when the crowd has gone", n)
	}
}
