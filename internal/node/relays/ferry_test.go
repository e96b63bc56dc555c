package relays

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/base/trust/trusttest"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/proto/relay"
)

func TestFramesGoBothWays(t *testing.T) {
	story(t, theRealm().relay, welcomes(echoes), func(w *world) {
		r := &rider{}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		if r.welcome.Client != 5 {
			w.Fatal(r.welcome, r.failed)
		}
		out := w.f.Carrier(1)
		for i := range 1000 {
			out.Carry(data(i, 16+i))
			synctest.Wait()
		}
		if len(r.frames) != 1000 {
			w.Fatal(len(r.frames))
		}
		for i, f := range r.frames {
			if len(f) != 32+i || relay.NumberOf(f) != relay.Number(i) {
				w.Fatal(i, len(f))
			}
		}
		w.f.Hangup(1)
		synctest.Wait()
		if r.ended != 0 || w.f.Carrier(1) != nil || len(r.failed) != 0 {
			w.Error("told of an end that was wished for")
		}
		out.Carry(data(1, 16)) // to nobody, but harmless
	})
}

func TestTheRelayMayEndAConnection(t *testing.T) {
	story(t, theRealm().relay, welcomes(func(net.Conn) {}), func(w *world) {
		r := &rider{}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		if r.welcome.Client != 5 || r.ended != 1 || w.f.Carrier(1) != nil {
			w.Error(r.welcome, r.ended)
		}
	})
}

func TestWhoIsNotTheRelayIsNotBelieved(t *testing.T) {
	for name, as := range map[string]*trusttest.Party{"a controller": theRealm().controller, "another relay": theRealm().node, "a stranger": stranger()} {
		t.Run(name, func(t *testing.T) {
			story(t, as, welcomes(holds), func(w *world) {
				r := &rider{}
				w.f.dial(1, theRelay, r)
				w.f.dial(2, theRelay+1, &rider{}) // which the map does not name
				synctest.Wait()
				if r.welcome.Client != 0 || len(r.failed) != 1 || r.failed[0] != relay.NoReason {
					w.Error(r.welcome, r.failed)
				}
			})
		})
	}
}

func TestRefusalsArePassedOn(t *testing.T) {
	story(t, theRealm().relay, func(c net.Conn) {
		_, _ = receive(c)
		w := relay.Welcome{Reason: relay.Draining}
		_ = send(c, w.Append(nil))
	}, func(w *world) {
		r := &rider{}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		if len(r.failed) != 1 || r.failed[0] != relay.Draining {
			w.Error(r.failed)
		}
	})
}

// A relay of before wants to be shown a certificate in the handshake.
func TestARelayOfAnotherVersionIsTakenForThat(t *testing.T) {
	storyOf(t, theRealm().relay, tls.RequireAnyClientCert, welcomes(holds), func(w *world) {
		r := &rider{}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		if len(r.failed) != 1 || r.failed[0] != relay.Unsupported {
			w.Error(r.failed)
		}
	})
}

func TestANodeWithoutACertificateDialsNobody(t *testing.T) {
	story(t, theRealm().relay, welcomes(holds), func(w *world) {
		w.f.cfg.Credentials = func() session.Credentials { return session.Credentials{Pin: theRealm().root.Pin()} }
		r := &rider{}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		if len(r.failed) != 1 || w.dials.Load() != 0 {
			w.Error(r.failed, w.dials.Load())
		}
	})
}

func TestNonsenseEndsAConnection(t *testing.T) {
	long := make([]byte, 2+relay.MaxRegister+1)
	long[0], long[1] = (relay.MaxRegister+1)>>8, (relay.MaxRegister+1)&255
	for name, say := range map[string]func(net.Conn){
		"a welcome that is none":  func(c net.Conn) { _ = send(c, data(1, 100)); holds(c) },
		"one that is too long":    func(c net.Conn) { _, _ = c.Write(long); holds(c) },
		"silence":                 holds,
		"half of it":              func(c net.Conn) { _, _ = c.Write([]byte{0, 48, 0x20}); holds(c) },
		"an end":                  func(net.Conn) {},
		"frames without a header": welcomes(func(c net.Conn) { _, _ = c.Write([]byte{0, 3, 1, 2, 3}); holds(c) }),
		"frames of another type":  welcomes(func(c net.Conn) { _, _ = c.Write(make([]byte, 2000)); holds(c) }),
	} {
		t.Run(name, func(t *testing.T) {
			story(t, theRealm().relay, say, func(w *world) {
				r := &rider{}
				w.f.dial(1, theRelay, r)
				time.Sleep(6 * time.Second)
				synctest.Wait()
				if len(r.failed)+r.ended != 1 || len(r.frames) != 0 {
					w.Error(r.failed, r.ended, r.frames)
				}
			})
		})
	}
}

func TestARelayThatTakesNothingCostsAFewHundredKilobytesAndIsGivenUp(t *testing.T) {
	story(t, theRealm().relay, welcomes(func(c net.Conn) { time.Sleep(time.Minute) }), func(w *world) {
		r := &rider{}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		out := w.f.Carrier(1).(*outbox)
		for i := range 10_000 {
			out.Carry(data(i, 1000))
		}
		out.mu.Lock()
		room := cap(out.frames)
		out.mu.Unlock()
		if out.dropped.Load() < 9000 || room > 2*outboxBytes {
			w.Error(out.dropped.Load(), room)
		}
		time.Sleep(stall + time.Second)
		synctest.Wait()
		if r.ended != 1 {
			w.Error("it holds on")
		}
	})
}

func TestAReceiverThatIsClosedEndsTheConnection(t *testing.T) {
	story(t, theRealm().relay, welcomes(echoes), func(w *world) {
		r := &rider{refuse: errors.New("the tunnel is closed")}
		w.f.dial(1, theRelay, r)
		synctest.Wait()
		w.f.Carrier(1).Carry(data(1, 16))
		synctest.Wait()
		if r.ended != 1 {
			w.Error(r.ended)
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	story(t, theRealm().relay, welcomes(holds), func(w *world) {
		w.blocked.Store(true)
		r := &rider{}
		w.f.dial(1, theRelay, r)
		time.Sleep(time.Second)
		w.f.Close()
		if time.Since(w.begun) != time.Second || len(r.failed) != 0 {
			w.Error(time.Since(w.begun), r.failed)
		}
		w.f.dial(2, theRelay, r)
	})
}

func TestHangupGivesUpDialing(t *testing.T) {
	story(t, theRealm().relay, welcomes(holds), func(w *world) {
		w.blocked.Store(true)
		r := &rider{}
		w.f.dial(1, theRelay, r)
		time.Sleep(time.Second)
		w.f.Hangup(1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.failed) != 0 || r.welcome.Client != 0 {
			w.Error(r.failed)
		}
	})
}

// proxies is an HTTP proxy that lets through who knows the password.
func (w *world) proxies() {
	w.proxied.Store(true)
	w.listen(proxy, func(c net.Conn) {
		r := bufio.NewReader(c)
		q, err := http.ReadRequest(r)
		if err != nil || q.Method != http.MethodConnect || q.Host != here.String() || q.Header.Get("Proxy-Authorization") != "Basic bWU6c2VjcmV0" {
			_, _ = io.WriteString(c, "HTTP/1.1 407 Who are you?\r\n\r\n")
			return
		}
		there, err := w.twin.DialTCP(w.Context(), here)
		if err != nil {
			return
		}
		defer there.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 200 Go on\r\nVia: 1.1 proxy\r\n\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(there, r)
			there.Close()
		}()
		_, _ = io.Copy(c, there)
		c.Close()
		<-done
	})
}

func TestAProxyHelpsWhereTheWayIsBlocked(t *testing.T) {
	story(t, theRealm().relay, welcomes(echoes), func(w *world) {
		w.blocked.Store(true)
		w.proxies()
		r := &rider{}
		w.f.dial(1, theRelay, r)
		time.Sleep(time.Second)
		synctest.Wait()
		if r.welcome.Client != 5 || w.since(r) != stagger {
			w.Fatal(r.welcome, r.failed, w.since(r))
		}
		w.f.Carrier(1).Carry(data(1, 16))
		synctest.Wait()
		if len(r.frames) != 1 {
			w.Error("no frame came through the proxy")
		}
		again := &rider{}
		w.begun = time.Now()
		w.f.dial(2, theRelay, again)
		time.Sleep(time.Second)
		synctest.Wait()
		if again.welcome.Client != 5 || w.since(again) != 0 {
			w.Error("what worked last is not tried first:", w.since(again))
		}
		w.f.Moved()
		w.blocked.Store(false)
		third := &rider{}
		w.f.dial(3, theRelay, third)
		before := w.dials.Load()
		time.Sleep(time.Second)
		synctest.Wait()
		if third.welcome.Client != 5 || w.dials.Load() != before+1 {
			w.Error("elsewhere the direct way comes first")
		}
	})
}

func TestAProxyThatRefusesIsNamed(t *testing.T) {
	story(t, theRealm().relay, welcomes(echoes), func(w *world) {
		w.blocked.Store(true)
		w.proxied.Store(true)
		w.listen(proxy, func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 403 Not \x1b[31mhere\r\n\r\n")
			time.Sleep(time.Second)
		})
		r := &rider{}
		w.f.dial(1, theRelay, r)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(r.failed) != 1 {
			w.Error(r.failed)
		}
	})
}
