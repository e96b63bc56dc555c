package portmap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	core "github.com/cvlan/cvlan/internal/core/portmap"
)

// onLoopback is the system, but the gateway is this machine's 127.0.0.1.
type onLoopback struct{ System }

func (onLoopback) Link() (Link, error) {
	ifi, err := net.InterfaceByName("lo")
	if err != nil {
		return Link{}, err
	}
	return Link{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.1"), ifi.Index}, nil
}

func TestRealSocketsCarryIt(t *testing.T) {
	if _, err := (onLoopback{}).Link(); err != nil {
		t.Skip("no loopback by the name lo: ", err)
	}
	gw, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: core.Port})
	if err != nil {
		t.Skip("somebody else answers here: ", err)
	}
	released := make(chan struct{}, 8)
	go func() {
		m := NewMemory()
		m.NATPMP = true
		for b := make([]byte, 1500); ; {
			n, from, err := gw.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if a, ok := m.answer(b[:n]); ok {
				gw.WriteToUDPAddrPort(a.Append(nil), from)
				if a.Op == core.Map && a.Lifetime == 0 {
					released <- struct{}{}
				}
			}
		}
	}()
	defer gw.Close()
	told := make(chan Mapping, 8)
	m := New(onLoopback{}, Config{Port: 41641, Changed: func(x Mapping) { told <- x }})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() { m.Run(ctx); close(done) }()
	select {
	case got := <-told:
		if got.Protocol != core.NATPMP || got.External.Port() != 41641 {
			t.Errorf("%+v", got)
		}
	case <-ctx.Done():
		t.Fatal("no mapping")
	}
	cancel()
	<-done
	<-released // the gateway says it after its answer, with which the mapper has ended
}

func TestTheSystemKnowsItsGateway(t *testing.T) {
	l, err := System{}.Link()
	if errors.Is(err, ErrNoGateway) {
		t.Skip("this machine has none")
	}
	if err != nil || !l.Gateway.Is4() || !l.Local.Is4() || l.Index == 0 {
		t.Fatalf("%+v, %v", l, err)
	}
}
