package load

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/wg"
)

func TestFloodIsOfStrangersWhoKnowTheReceiver(t *testing.T) {
	secret := key.NewWGPrivate()
	victim, err := wg.New(wg.Config{Private: secret, Epoch: time.Now(), HandshakesPerSecond: 1_000_000}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := Flood{To: c.LocalAddr().String(), Key: secret.Public(), Rate: 1000, For: time.Minute, Strangers: 4, Ports: 3}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		got, err := Initiate(ctx, f)
		if most := 1 + uint64(1000*got.Seconds); err == nil && (got.Sent < 10 || got.Sent > most) {
			err = fmt.Errorf("%+v, want 10 to %d", got, most)
		}
		ended <- err
	}()
	clock, buf := mono.NewClock(), make([]byte, 2000)
	ports := map[uint16]bool{}
	for range 10 {
		c.SetReadDeadline(time.Now().Add(time.Minute))
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatal(err)
		}
		ports[from.Port()] = true
		var out wg.Out
		if drop := victim.Handshake(clock.Now(), wg.Origin{Addr: from}, buf[:n], &out); drop != wg.DropUnknownPeer {
			t.Errorf("the receiver says %v, want %v", drop, wg.DropUnknownPeer)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(ports) != 3 {
		t.Errorf("the flood comes from %d ports, want 3", len(ports))
	}
}

func TestFloodStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := Flood{To: "127.0.0.1:9", Key: key.NewWGPrivate().Public(), For: time.Minute, Strangers: 1, Ports: 1, Begun: cancel}
	if got, err := Initiate(ctx, f); err != nil || got.Seconds > 30 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestImpossibleFloodsAreRefused(t *testing.T) {
	k := key.NewWGPrivate().Public()
	for _, f := range []Flood{{}, {Key: k, Rate: -1}, {Key: k, Ports: maxPorts + 1}, {Key: k, Strangers: -1}, {Key: k, For: 2 * time.Hour}} {
		f.To = "127.0.0.1:9"
		if _, err := Initiate(t.Context(), f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
}
