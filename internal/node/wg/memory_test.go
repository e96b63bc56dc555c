package wg_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

// slot is what a packet that waits takes, in bytes: the MTU, rounded up.
const slot = 1536

// tight returns a budget for one tunnel and this many packets that wait.
func tight(w *world, packets int) *tunnel.Budget {
	b := tunnel.NewBudget(0)
	e := w.end(250, sharing(b))
	need := b.Used()
	e.Close()
	return tunnel.NewBudget(need + packets*slot)
}

func sharing(b *tunnel.Budget) func(*end) { return func(e *end) { e.config.Budget = b } }

func TestBudgetThatIsUsedUpDropsAndRecovers(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		const room = 71
		budget := tight(w, room)
		a, b, c := w.end(1, sharing(budget)), w.end(2), w.end(3)
		for _, e := range []*end{b, c} {
			a.knows(e)
			e.knows(a)
		}
		full := budget.Used() + room*slot
		w.Change(func() { w.Cut = true })
		for range 10 {
			for range 50 {
				a.says(b, "x")
				a.says(c, "y")
			}
			w.Pass(time.Second)
			if used := budget.Used(); used != full {
				w.Fatalf("%d bytes are used, of %d", used, full)
			}
		}
		if s, o := a.of(b), a.of(c); s.Waiting+o.Waiting != room || s.Drops["no_memory"]+o.Drops["no_memory"] != 1000-room {
			w.Errorf("%+v and %+v", s, o)
		}
		w.Change(func() { w.Cut = false })
		w.Pass(retry)
		if n := len(b.heard()) + len(c.heard()); n != room {
			w.Errorf("%d of %d have arrived that waited", n, room)
		}
		w.talk(a, b, rtt)
		w.talk(a, c, rtt)
		before := a.dropped(tunnel.NoMemory)
		w.Change(func() { w.Cut = true })
		w.Pass(rejectAfter)
		for i := range room {
			a.says(b, fmt.Sprint(i))
		}
		w.Pass(time.Second)
		if s := a.of(b); s.Waiting != room || a.dropped(tunnel.NoMemory) != before {
			w.Errorf("memory is not given back: %+v", s)
		}
	})
}

func TestTunnelsOfAProcessShareTheirBudget(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		const room = 100
		one := tunnel.NewBudget(0)
		e := w.end(250, sharing(one))
		need := one.Used()
		e.Close()
		budget := tunnel.NewBudget(2*need + room*slot)
		a, b := w.end(1, sharing(budget)), w.end(2, sharing(budget))
		a.knows(b, at(nobody(1)...))
		b.knows(a, at(nobody(1)...))
		for range room {
			a.says(b, "x")
		}
		w.Pass(time.Second)
		b.says(a, "no room")
		w.Pass(time.Second)
		if b.of(a).Waiting != 0 || b.dropped(tunnel.NoMemory) != 1 || b.State().Memory != a.State().Memory {
			w.Errorf("b: %+v, %+v", b.of(a), b.State())
		}
		if _, err := w.spare(budget); err == nil {
			w.Error("a third tunnel has started")
		}
		a.Close()
		b.says(a, "room")
		w.Pass(time.Second)
		if n := b.of(a).Waiting; n != 1 {
			w.Errorf("%d packets wait: what a closed tunnel had is not given back", n)
		}
		third, err := w.spare(budget)
		if err != nil {
			w.Fatalf("a third tunnel in place of the first: %v", err)
		}
		third.Close()
	})
}

// spare tries to start another tunnel.
func (w *world) spare(b *tunnel.Budget) (*end, error) {
	e := w.plan(99, sharing(b))
	return e, e.boot()
}

// What New was given it closes when it fails.
func TestTunnelThatCannotStartSaysWhyAndClosesWhatItWasGiven(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		for want, change := range map[string]func(*end){
			"start the tunnel: 1024 KiB of packet memory are left of 1024": func(e *end) { e.config.Budget = tunnel.NewBudget(1 << 20) },
			"start the tunnel: wg: config: private key is missing":         func(e *end) { e.speaks.Private = key.WGPrivate{} },
			"start the tunnel: queues and sockets differ in number":        func(e *end) { e.device.Queues = 2 },
			"start the tunnel: it speaks no protocol":                      func(e *end) { e.config.Transports = map[tunnel.Class]tunnel.Build{} },
		} {
			e := w.plan(50, sharing(tunnel.NewBudget(0)), change)
			wantError(w.T, e.boot(), want)
			if e.twin.Send([]byte{1}) {
				w.Errorf("%s: the device is still open", want)
			}
			if err := e.sock.Send([]sock.Train{{Data: []byte{1}, Remote: nobody(1)[0]}}); err == nil {
				w.Errorf("%s: the socket is still open", want)
			}
			if n := e.config.Budget.Used(); n != 0 {
				w.Errorf("%s: %d bytes are still taken", want, n)
			}
		}
	})
}
