package wg_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// What the system does not take is counted by the socket; the session lives.
func TestDatagramsThatTheSystemRefusesAreLostAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		errno   syscall.Errno
		counted func(sock.Stats) uint64
	}{
		"no buffer":   {syscall.ENOBUFS, func(s sock.Stats) uint64 { return s.NoBuffer }},
		"too big":     {syscall.EMSGSIZE, func(s sock.Stats) uint64 { return s.TooBig }},
		"unreachable": {syscall.ENETUNREACH, func(s sock.Stats) uint64 { return s.Unreachable }},
		"refused":     {syscall.EPERM, func(s sock.Stats) uint64 { return s.Refused }},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				a, b := w.pair()
				w.talk(a, b, time.Second)
				before := a.of(b).LastHandshake
				a.sock.Fail(func(sock.Train) error { return os.NewSyscallError("sendmsg", c.errno) })
				for range 10 {
					a.says(b, "lost")
				}
				w.Pass(time.Second)
				a.sock.Fail(nil)
				if n := c.counted(a.State().Socket); n != 10 {
					w.Errorf("%d counted: %+v", n, a.State().Socket)
				}
				w.talk(a, b, rtt)
				if !a.of(b).LastHandshake.Equal(before) {
					w.Error("a handshake was made")
				}
			})
		})
	}
}

// A handshake that cannot be sent is tried again.
func TestHandshakeOutlivesASystemWithoutMemory(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		a.sock.Fail(func(sock.Train) error { return syscall.ENOBUFS })
		a.says(b, "early")
		w.Pass(2 * time.Second)
		a.sock.Fail(nil)
		if !b.hears("early", retry) {
			w.Errorf("%+v", a.of(b))
		}
	})
}

func TestLossOfTheDeviceIsTold(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		select {
		case <-a.Done():
			w.Fatal("told too early")
		default:
		}
		a.twin.Fail(errors.New("the interface is gone"))
		synctest.Wait()
		select {
		case <-a.Done():
		default:
			w.Error("nobody was told")
		}
		if n := len(a.Peers()); n != 1 { // its owner may still look at it
			w.Errorf("%d peers", n)
		}
		b.says(a, "to a host without a device")
		w.Pass(time.Minute)
	})
}

func TestCloseIsNoFailure(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.pair()
		w.talk(a, b, time.Second)
		for range 2 {
			if err := a.Close(); err != nil {
				w.Error(err)
			}
		}
		select {
		case <-a.Done():
			w.Error("an end that was asked for is told as a failure")
		default:
		}
		wantError(w.T, a.SetPeer(b.peer()), "the tunnel is closed")
		a.RemovePeer(b.name)
		a.Wake()
		if all := a.Peers(); len(all) != 0 {
			w.Errorf("peers %v", all)
		}
		if s := a.State(); s.Port != b.Port() || s.Workers != 1 {
			w.Errorf("%+v", s)
		}
	})
}

// Everybody closes at once, while packets fly, handshakes begin and peers come and go.
func TestCloseFromManySidesWhileItIsBusy(t *testing.T) {
	payload := noise(20 * 1340)
	for seed := range uint64(seeds(25)) {
		inWorld(t, seed, func(w *world) {
			w.Jitter = rtt
			a, b := w.pair()
			var all sync.WaitGroup
			stop := make(chan struct{})
			for _, f := range []func(int){
				func(i int) { a.says(b, "x") },
				func(i int) { b.twin.SendTrain(offloadtest.TCP(b.addr, a.addr, payload, 1340)) },
				func(i int) { a.SetPeer(b.peer()) },
				func(i int) { a.RemovePeer(b.name) },
				func(i int) { a.Wake(); a.Peers(); a.State() },
			} {
				all.Go(func() {
					for i := 0; ; i++ {
						select {
						case <-stop:
							return
						case <-time.After(rtt / 7):
							f(i)
						}
					}
				})
			}
			w.Pass(time.Duration(seed) * rtt / 3)
			for range 4 {
				all.Go(func() {
					if err := a.Close(); err != nil {
						w.Error(err)
					}
				})
			}
			w.Pass(time.Second)
			close(stop)
			all.Wait()
			select {
			case <-a.Done():
				w.Error("an end that was asked for is told as a failure")
			default:
			}
		})
	}
}

// deaf is a socket whose Receive fails so many times.
type deaf struct {
	*sock.Memory
	left int
}

func (d *deaf) Receive(all []sock.Train) (int, error) {
	if d.left > 0 {
		d.left--
		return 0, fmt.Errorf("receive: %w", syscall.ENOMEM)
	}
	return d.Memory.Receive(all)
}

func TestSocketThatFailsNowAndThenIsForgiven(t *testing.T) {
	for _, c := range []struct {
		errors int
		fails  bool
	}{{50, false}, {1 << 30, true}} {
		inWorld(t, 1, func(w *world) {
			a := w.end(1, func(e *end) {
				e.wrap = func(m *sock.Memory) []sock.Socket { return []sock.Socket{&deaf{Memory: m, left: c.errors}} }
			})
			w.Pass(time.Minute)
			told := false
			select {
			case <-a.Done():
				told = true
			default:
			}
			if told != c.fails {
				w.Errorf("after %d errors in a row the tunnel has ended: %v", c.errors, told)
			}
		})
	}
}
