package stream

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sim/netsim"
	"github.com/cvlan/cvlan/internal/sys/quicx"
)

// told collects what a watch tells: after how long, and since when; both from the beginning.
type told struct {
	begin time.Time
	mu    sync.Mutex
	at    []time.Duration
	since []time.Duration // less than 0: it answers
}

func (o *told) take(since time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = append(o.at, time.Since(o.begin))
	if since.IsZero() {
		o.since = append(o.since, -1)
		return
	}
	o.since = append(o.since, since.Sub(o.begin))
}

// all returns what has been told so far.
func (o *told) all() (at, since []time.Duration) {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.at), slices.Clone(o.since)
}

// watched connects to the controller over QUIC, and tells of its silence.
func (s *simulated) watched(t *testing.T) (Stream, *told) {
	o := &told{begin: time.Now()}
	cfg := s.config(right)
	cfg.Transport, cfg.Silent = QUIC, o.take
	c := dial(t, cfg)
	exchange(t, c, 1)
	return c, o
}

// A peer that is cut off is told of with the first keepalive that stays unanswered, and one that comes back before it is given up has its old connection.
func TestSilenceIsToldAndSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		defer s.controller(t, right, echo)()
		c, o := s.watched(t)
		defer c.Close()
		time.Sleep(10*quicx.KeepAlive + time.Second - time.Since(o.begin)) // just after a keepalive: the worst moment
		if at, _ := o.all(); len(at) != 0 {
			t.Fatal("told of silence where there was none, after", at)
		}
		cut := time.Since(o.begin)
		s.net.Cut(left, right, true)
		time.Sleep(70 * time.Second)
		s.net.Cut(left, right, false)
		back := time.Since(o.begin)
		time.Sleep(time.Minute)
		at, since := o.all()
		if len(at) != 2 || at[0]-cut > quicx.KeepAlive+patience || at[0]-since[0] != patience || since[1] != -1 || at[1]-back > quicx.KeepAlive+lookAgain {
			t.Fatalf("cut after %v, back after %v: told after %v since %v", cut, back, at, since)
		}
		exchange(t, c, 2)
	})
}

// A connection on which one in seven packets is lost in either direction, and one in four answers, is no silent one.
func TestALossyLineIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t)
		defer s.controller(t, right, echo)()
		c, o := s.watched(t)
		defer c.Close()
		s.net.Weather(netsim.Conditions{Latency: 150 * time.Millisecond, Jitter: 50 * time.Millisecond, Loss: 0.15})
		time.Sleep(12 * time.Hour)
		if at, _ := o.all(); len(at) > 2 { // one silence of 1728 keepalives, and its end: once in thousands of runs
			t.Error("told after", at)
		}
		if err := c.Send(t.Context(), encode(ping(1))); err != nil {
			t.Error("the connection has been given up:", err)
		}
	})
}

// Over TCP the system asks; we look at what it knows when a sign of life is overdue, and not more often.
func TestTheSystemsProbesAreLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := told{begin: time.Now()}
		looks := told{begin: o.begin}
		over, ended := make(chan struct{}), make(chan struct{})
		heard := []time.Duration{0, 20 * time.Second, 45 * time.Second, 100 * time.Second} // signs of life
		age := func() (time.Duration, bool) {
			now := time.Since(o.begin)
			looks.take(time.Time{})
			last := heard[0]
			for _, h := range heard {
				if h <= now {
					last = h
				}
			}
			return now - last, true
		}
		go func() {
			defer close(ended)
			(&watch{tell: o.take}).probes(over, age)
		}()
		defer func() { close(over); <-ended }()
		time.Sleep(78500 * time.Millisecond)
		want := []time.Duration{33 * time.Second, 53 * time.Second, 78 * time.Second}
		at, _ := looks.all()
		if _, since := o.all(); !slices.Equal(at, want) || !slices.Equal(since, []time.Duration{70 * time.Second}) {
			t.Fatal("looked after", at, "told since", since)
		}
		time.Sleep(22 * time.Second)
		if _, since := o.all(); !slices.Equal(since, []time.Duration{70 * time.Second, -1}) {
			t.Fatal(since)
		}
	})
}
