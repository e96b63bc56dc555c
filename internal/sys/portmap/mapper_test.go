package portmap

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	core "github.com/cvlan/cvlan/internal/core/portmap"
)

// running starts a Mapper in a bubble and returns what it told, and how to end it.
func running(m *Memory) (mapper *Mapper, told chan Mapping, end func()) {
	told = make(chan Mapping, 64)
	mapper = New(m, Config{Port: 41641, Changed: func(x Mapping) { told <- x }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { mapper.Run(ctx); close(done) }()
	return mapper, told, func() { cancel(); <-done }
}

func TestEachProtocolMapsAndReleases(t *testing.T) {
	for _, p := range []core.Protocol{core.PCP, core.NATPMP, core.UPnP} {
		for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				m := NewMemory()
				m.PCP, m.NATPMP, m.UPnP, m.Permanent, m.Delay = p == core.PCP, p == core.NATPMP, p == core.UPnP, delay == 0, delay
				mapper, told, end := running(m)
				begun := time.Now()
				got := <-told
				if got.External.String() != "203.0.113.5:41641" || got.Protocol != p || time.Since(begun) > 1900*time.Millisecond || m.Mappings()[41641] != 41641 {
					t.Errorf("%v: %+v after %v, %v", p, got, time.Since(begun), m.Mappings())
				}
				time.Sleep(3 * time.Second)
				if s := mapper.State(); !s.Complete || !slices.Equal(s.Found, []core.Protocol{p}) || s.Outside != m.Outside || s.Mapping != got {
					t.Errorf("%v: %+v", p, s)
				}
				end()
				if got := <-told; got.External.IsValid() || len(m.Mappings()) != 0 {
					t.Errorf("%v: %+v stays, the gateway has %v", p, got, m.Mappings())
				}
			})
		}
	}
}

func TestRebootedGatewayMapsAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		m.PCP = true
		_, told, end := running(m)
		<-told
		time.Sleep(time.Minute)
		m.Reboot()
		time.Sleep(time.Second)
		if len(m.Mappings()) != 1 {
			t.Error("the mapping has not come back")
		}
		end()
	})
}

func TestMapperFollowsTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		m.NATPMP = true
		home := m.Where
		mapper, told, end := running(m)
		<-told
		m.Move(Link{}, m.Outside)
		mapper.Again()
		if got := <-told; got.External.IsValid() {
			t.Errorf("without a network: %+v", got)
		}
		m.Move(Link{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.7"), 3}, netip.MustParseAddr("100.64.0.9"))
		mapper.Again()
		if got := <-told; got.External.String() != "100.64.0.9:41641" || !got.Inner {
			t.Errorf("elsewhere: %+v", got)
		}
		m.Move(home, netip.MustParseAddr("203.0.113.5")) // and nobody tells
		if got := <-told; got.External.IsValid() {
			t.Errorf("%+v", got)
		}
		<-told
		end()
	})
}

func TestGatewayThatSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		mapper, _, end := running(m)
		time.Sleep(3 * time.Second)
		if s := mapper.State(); !s.Complete || len(s.Found) != 0 {
			t.Errorf("%+v", s)
		}
		begun := time.Now()
		end()
		if time.Since(begun) != 0 {
			t.Errorf("the end took %v", time.Since(begun))
		}
	})
}

func TestLookLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		m.PCP, m.UPnP, m.Delay = true, true, 50*time.Millisecond
		begun := time.Now()
		s := Look(context.Background(), m)
		if !slices.Equal(s.Found, []core.Protocol{core.PCP, core.UPnP}) || len(m.Mappings()) != 0 || time.Since(begun) > 2*time.Second {
			t.Errorf("%+v after %v, %v", s, time.Since(begun), m.Mappings())
		}
		m.Move(Link{}, m.Outside)
		if s := Look(context.Background(), m); len(s.Found) != 0 {
			t.Errorf("without a gateway: %+v", s)
		}
	})
}

// A router that translates nothing lets in what comes to our own address, if PCP asks for it (RFC 6887, section 11).
func TestPinholeIsOpenedForIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		us := netip.MustParseAddr("2001:db8::10")
		m.Move(Link{netip.MustParseAddr("fe80::1"), us, 2}, us)
		m.PCP, m.NATPMP, m.UPnP = true, true, true
		mapper, told, end := running(m)
		if got := <-told; got != (Mapping{External: netip.AddrPortFrom(us, 41641), Protocol: core.PCP}) {
			t.Errorf("%+v", got)
		}
		next := netip.MustParseAddr("2001:db8::11") // addresses are changed daily (RFC 8981)
		m.Move(Link{netip.MustParseAddr("fe80::1"), next, 2}, next)
		mapper.Again()
		<-told
		if got := <-told; got.External.Addr() != next {
			t.Errorf("%+v", got)
		}
		end()
		if s := mapper.State(); !slices.Equal(s.Found, []core.Protocol{core.PCP}) || len(m.Mappings()) != 0 {
			t.Errorf("%+v, %v", s, m.Mappings())
		}
	})
}
