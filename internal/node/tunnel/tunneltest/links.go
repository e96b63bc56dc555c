// Package tunneltest is what stories of tunnels share: links in memory that delay, lose and repeat, and ends that send each other
// numbered packets. Everything runs in a synctest bubble.
package tunneltest

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing/synctest"
	"time"

	"github.com/cvlan/cvlan/internal/sys/sock"
)

// RTT is how long a question and its answer take, unless a story says otherwise.
const RTT = 40 * time.Millisecond

// Links are a network whose conditions a story changes.
type Links struct {
	*sock.Network

	mu  sync.Mutex // of what follows
	rnd *rand.Rand
	Conditions
	silent  map[netip.Addr]bool
	carried int
}

// Conditions are what happens to datagrams.
type Conditions struct {
	Delay  time.Duration // one way
	Jitter time.Duration // at most, on top of it: packets overtake each other
	Loss   float64       // of 1
	Twice  float64       // of 1: so many arrive a second time
	Cut    bool          // nothing arrives
}

// NewLinks makes links on which nothing is lost.
func NewLinks(seed uint64) *Links {
	l := &Links{rnd: rand.New(rand.NewPCG(seed, 1)), Conditions: Conditions{Delay: RTT / 2}, silent: map[netip.Addr]bool{}}
	l.Network = sock.NewNetwork(l.carry)
	return l
}

// carry implements sock.Carry.
func (l *Links) carry(from, to netip.AddrPort) (copies []time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.carried++
	if l.Cut || l.silent[from.Addr()] || l.silent[to.Addr()] {
		return nil
	}
	if l.Loss == 0 || l.rnd.Float64() >= l.Loss {
		copies = append(copies, l.takes())
	}
	if l.Twice > 0 && l.rnd.Float64() < l.Twice {
		copies = append(copies, l.takes())
	}
	return copies
}

func (l *Links) takes() time.Duration {
	d := l.Delay
	if l.Jitter > 0 {
		d += time.Duration(l.rnd.Int64N(int64(l.Jitter)))
	}
	return d
}

// Change lets f change the conditions.
func (l *Links) Change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Silence cuts an address off, or joins it again.
func (l *Links) Silence(a netip.Addr, off bool) { l.Change(func() { l.silent[a] = off }) }

// Rejoin joins whoever was cut off.
func (l *Links) Rejoin() { l.Change(func() { clear(l.silent) }) }

// Carried is how many datagrams have been sent so far, those included that did not arrive.
func (l *Links) Carried() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}

// Pass lets time go by, and then everything come to rest.
func (l *Links) Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
