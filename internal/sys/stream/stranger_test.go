package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/proto/control"
)

func TestAStrangerMayOnlySayLittle(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		errs := make(chan error, 1)
		at := serve(t, ListenConfig{}, func(_ context.Context, s Stream) {
			if len(s.Info().Chain) != 0 {
				t.Error("a stranger with a certificate")
			}
			_, err := s.Recv()
			errs <- err
		})
		stranger := theRealm().clientTLS(nil)
		s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: stranger})
		s.Send(context.Background(), bulk(15<<10))
		if err := <-errs; err != nil {
			t.Error("16 KiB are too much:", err)
		}
		s = dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: stranger})
		s.Send(context.Background(), bulk(17<<10))
		if err := <-errs; !errors.Is(err, control.ErrTooLong) {
			t.Error(err)
		}
	})
}

func TestOnlySoManyStrangersAtOnce(t *testing.T) {
	each(t, func(t *testing.T, transport Transport) {
		inside, leave := make(chan struct{}, 8), make(chan struct{})
		at := serve(t, ListenConfig{Limits: Limits{Strangers: 2}}, func(_ context.Context, s Stream) {
			inside <- struct{}{}
			if len(s.Info().Chain) == 0 {
				<-leave
			}
		})
		defer close(leave)
		stranger := theRealm().clientTLS(nil)
		for range 2 {
			s := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: stranger})
			s.Send(context.Background(), encode(ping(1)))
			<-inside
		}
		third, err := tryDial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport, TLS: stranger})
		if err == nil { // its handshake may be over before it is turned away
			defer third.Close()
			third.Send(context.Background(), encode(ping(1)))
			_, err = third.Recv()
		}
		if err == nil {
			t.Error("a third one is served")
		}
		node := dial(t, DialConfig{Addrs: []string{at.String()}, Transport: transport})
		node.Send(context.Background(), encode(ping(1)))
		<-inside // strangers keep no node out
	})
}

var here = netip.MustParseAddrPort("192.0.2.9:8443")

// bubbled starts a listener on a twin inside a bubble.
func bubbled(t *testing.T, twin *Twin, cfg ListenConfig, handle Handler) (stop func()) {
	var err error
	if cfg.TCP, err = twin.ListenTCP(here); err != nil {
		t.Fatal(err)
	}
	return run(t, listen(t, cfg), handle)
}

func TestWhoSaysNothingIsNotWaitedFor(t *testing.T) {
	for name, story := range map[string]struct {
		as    *trusttest.Party
		head  int // 2: begins a frame, then sends a byte a second
		after time.Duration
	}{
		"stranger":               {nil, 0, firstFrame},
		"node":                   {theRealm().node, 0, firstFrame},
		"stranger that dribbles": {nil, 2, firstFrame},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var twin Twin
				ended := make(chan time.Duration, 1)
				stop := bubbled(t, &twin, ListenConfig{}, func(_ context.Context, s Stream) {
					start := time.Now()
					if _, err := s.Recv(); err == nil {
						t.Error("received from the silent")
					}
					ended <- time.Since(start)
				})
				defer stop()
				raw, _ := twin.DialTCP(t.Context(), here)
				c := tls.Client(raw, theRealm().clientTLS(story.as))
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				c.Write([]byte{0xd0, 0x50}[:story.head]) // the length of a frame of 10,320 bytes
				for range 15 * story.head / 2 {
					c.Write([]byte{1})
					time.Sleep(time.Second)
				}
				if got := <-ended; got != story.after {
					t.Error(got)
				}
				c.Close()
			})
		})
	}
}

func TestAStrangerDoesNotStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var twin Twin
		ended := make(chan time.Duration, 1)
		stop := bubbled(t, &twin, ListenConfig{}, func(_ context.Context, s Stream) {
			start := time.Now()
			for {
				if _, err := s.Recv(); err != nil {
					break
				}
			}
			ended <- time.Since(start)
		})
		defer stop()
		s := dial(t, DialConfig{Addrs: []string{here.String()}, Transport: TCP, DialTCP: twin.DialTCP, TLS: theRealm().clientTLS(nil)})
		for range 35 {
			if s.Send(t.Context(), encode(ping(1))) != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if got := <-ended; got < strangerLife || got > strangerLife+2*flush {
			t.Error(got)
		}
		s.Close()
	})
}

func TestHandshakesThatDoNotProceedAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var twin Twin
		stop := bubbled(t, &twin, ListenConfig{Limits: Limits{Handshakes: 3}}, echo)
		defer stop()
		var slow []net.Conn
		for range 3 {
			raw, _ := twin.DialTCP(t.Context(), here)
			raw.Write([]byte{22, 3, 1})
			slow = append(slow, raw)
		}
		synctest.Wait()
		turned, _ := twin.DialTCP(t.Context(), here)
		if _, err := turned.Read(make([]byte, 1)); err != io.EOF {
			t.Error("a fourth handshake is begun:", err)
		}
		start := time.Now()
		for _, c := range slow {
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Error(err)
			}
			c.Close()
		}
		if took := time.Since(start); took != handshakeTime {
			t.Error(took)
		}
		s := dial(t, DialConfig{Addrs: []string{here.String()}, Transport: TCP, DialTCP: twin.DialTCP})
		exchange(t, s, 1)
		s.Close()
	})
}

func TestADoorCountsSources(t *testing.T) {
	d := newDoor(3, 2)
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff")
	leave, err := d.enter(a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.enter(b); err != nil {
		t.Error(err)
	}
	if _, err := d.enter(a); err == nil {
		t.Error("a third of one /64")
	}
	if _, err := d.enter(netip.Addr{}); err != nil {
		t.Error("an unproven source is counted by itself", err)
	}
	if _, err := d.enter(netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Error("a fourth in all")
	}
	leave()
	if _, err := d.enter(a); err != nil {
		t.Error("nobody leaves", err)
	}
}
