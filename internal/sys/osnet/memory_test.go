package osnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestTwinPlaysAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		ctx, cancel := context.WithCancel(t.Context())
		changes, err := m.Changes(ctx)
		if err != nil {
			t.Fatal(err)
		}
		m.SetLocalAddrs("lan0", netip.MustParsePrefix("192.168.1.10/24"), netip.MustParsePrefix("fe80::1/64"))
		m.Change() // both are told at once
		<-changes
		if a, _ := m.LocalAddrs("cvlan0"); fmt.Sprint(a) != "[192.168.1.10]" {
			t.Errorf("local addresses %v", a)
		}
		m.SetLocalAddrs("lan1", netip.MustParsePrefix("192.168.1.11/24"), netip.MustParsePrefix("2001:db8::1/128"))
		if n, _ := m.LocalNetworks("cvlan0"); fmt.Sprint(n) != "[192.168.1.0/24]" {
			t.Errorf("networks %v", n)
		}
		m.SetLocalAddrs("lan1")
		<-changes
		c := Config{Interface: "cvlan0", MTU: 1380, Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.5/16")}}
		if err := m.Up(c); err != nil {
			t.Fatal(err)
		}
		if clash, _ := m.Clashes([]netip.Prefix{netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("10.0.0.0/8")}, "cvlan0"); fmt.Sprint(clash) != "[{192.168.1.0/24 lan0}]" {
			t.Errorf("clashes %v", clash)
		}
		if _, err := m.Ping(ctx, "cvlan0", netip.MustParseAddr("10.77.0.6"), 0); !errors.Is(err, ErrNoReply) {
			t.Errorf("ping: %v", err)
		}
		m.SetPing(func(ctx context.Context, _ string, _ netip.Addr, _ int) (time.Duration, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if _, err := m.Ping(ctx, "cvlan0", netip.MustParseAddr("10.77.0.6"), 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ping: %v", err)
		}
		m.Down("cvlan0")
		if _, up := m.Config("cvlan0"); up {
			t.Error("still up")
		}
		cancel()
		if _, open := <-changes; open {
			t.Error("told a change that was none")
		}
	})
}
