package sock

import (
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Giving way has the runtime wake a thread. Who waits has given way.
func TestWhoHasWaitedOwesOthersNoTurn(t *testing.T) {
	u := mustOpen(t, Open, Config{}).(*udp)
	say := func() {
		to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), u.Port())
		if err := u.Send([]Train{{Data: []byte("x"), Remote: to}}); err != nil {
			t.Error(err)
		}
	}
	u.in.pace.moved(Batch - 2)
	empty, receive := true, u.recvmmsg
	u.recvmmsg = func(fd uintptr, m []unix.Mmsghdr) (int, unix.Errno) {
		if empty {
			empty = false
			say() // a moment too late
			return -1, unix.EAGAIN
		}
		return receive(fd, m)
	}
	for _, want := range []pace{1, 2} {
		if want > 1 {
			say() // nobody waits for this one
		}
		if n, err := u.Receive([]Train{{Data: make([]byte, 100)}}); n != 1 || err != nil {
			t.Fatalf("%d trains, %v", n, err)
		}
		if u.in.pace != want {
			t.Errorf("%d messages since others had a turn, want %d", u.in.pace, want)
		}
	}
}

func TestATurnComesOnceInFourBatches(t *testing.T) {
	var p pace
	for n := pace(1); n < 8; n++ {
		p.moved(Batch)
		if want := n % 4 * Batch; p != want {
			t.Errorf("after %d batches %d messages are counted, want %d", n, p, want)
		}
	}
}

// BenchmarkAtTheLimit lets a sender run on every processor, and tells how late timers are meanwhile.
func BenchmarkAtTheLimit(b *testing.B) {
	each(b, func(b *testing.B, w way, l load) {
		u, to := openAside(b, w)
		late := lateness(b)
		var all sync.WaitGroup
		from := cpuTime()
		for range runtime.GOMAXPROCS(0) {
			all.Go(func() {
				trains := l.trains(to)
				for range b.N {
					u.Send(trains)
				}
			})
		}
		all.Wait()
		perDatagram(b, cpuTime()-from, b.N*runtime.GOMAXPROCS(0)*Batch*l.datagrams)
		b.ReportMetric(float64(late().Microseconds()), "late-µs")
	})
}

// openAside opens a socket on a network of its own, with somebody to send to.
func openAside(b *testing.B, w way) (s Socket, to netip.AddrPort) {
	done := make(chan struct{})
	go func() { // on a thread that may be ruined; a socket stays in the network that it was opened in
		defer close(done)
		at := cable(b)
		neighbour(b, at)
		s, to = openBench(b, w.open), netip.AddrPortFrom(at, 9)
	}()
	if <-done; b.Skipped() {
		b.SkipNow()
	}
	return s, to
}

// lateness measures by how much timers of 1 ms are late, until the median is asked for.
func lateness(b *testing.B) (median func() time.Duration) {
	stop, stopped := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var all []time.Duration
		for {
			from := time.Now()
			select {
			case <-time.After(time.Millisecond):
				all = append(all, time.Since(from)-time.Millisecond)
			case <-stop:
				stopped <- all
				return
			}
		}
	}()
	return func() time.Duration {
		close(stop)
		all := <-stopped
		if len(all) == 0 {
			return b.Elapsed()
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
}
