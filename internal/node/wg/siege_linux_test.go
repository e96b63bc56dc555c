package wg_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/wg"
)

// besiege sends sound initiations of strangers to somebody until the test ends, and returns when it is under load: when it has sent a
// cookie.
func besiege(t *testing.T, at netip.AddrPort, name key.WGPublic) {
	t.Helper()
	elsewhere := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)} // what one address may say is bounded
	c, err := net.DialUDP("udp4", elsewhere, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	all, load, done := openings(t, name, 200), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			for _, d := range all {
				c.Write(d)
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-t.Context().Done():
			}
		}
	}()
	go func() {
		defer close(load)
		b := make([]byte, 2048)
		for n := 0; n != cookieSize; {
			if n, err = c.Read(b); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		<-done
		c.Close()
		<-load
	})
	select {
	case <-load:
	case <-time.After(time.Minute):
		t.Fatal("it does not come under load")
	}
}

// cookieSize is the size of a cookie reply, in bytes.
const cookieSize = 64

// lasting is a test that waits five real seconds for somebody to try again, and keeps a machine busy meanwhile.
func lasting(t *testing.T) {
	if testing.Short() {
		t.Skip("it lasts")
	}
	t.Parallel()
}

// While the siege lasts nobody gets in without the right cookie.
func TestStockBringsOurCookieBack(t *testing.T) {
	lasting(t)
	s := newStock(t, [32]byte{}, false, func(c *wg.Config) { c.HandshakesPerSecond = 10 })
	besiege(t, netip.AddrPortFrom(s.at().Addr(), s.Port()), s.State().Key)
	s.theySend(4 * retry)
	s.weSend(soon)
}

func TestWeBringTheCookieOfStockBack(t *testing.T) {
	lasting(t)
	s := newStock(t, [32]byte{}, true)
	besiege(t, s.at(), s.private.Public())
	s.weSend(4 * retry)
	s.theySend(soon)
}
