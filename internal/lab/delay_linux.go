package lab

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Quality is what a way does to the packets that travel it in one direction. The zero Quality is a perfect way.
type Quality struct {
	Delay  time.Duration
	Jitter time.Duration // up to this much more, by chance a packet: packets overtake each other
	Loss   float64       // percent, by chance a packet
	Mbit   float64       // rate in 10^6 bit/s; 0 for unlimited
	Queue  int           // packets under way at most, the rest is dropped; 0 means 10000
}

const defaultQueue = 10_000

// Degrade gives what leaves the site for the internet a quality; the way in is untouched. It needs /dev/net/tun.
func (s *Site) Degrade(q Quality) { s.router.Degrade(q) }

// Degrade gives what the host, or all of the site it stands on, sends to the internet a quality.
func (h *Host) Degrade(q Quality) {
	if h.up == nil {
		h.site.Degrade(q)
		return
	}
	h.lab.must("degrade the way of "+h.name, h.lab.degrade(h.up, q))
}

// degrade takes an old line down before it makes a new one: the packets on their way are lost, as on a real change.
func (l *Lab) degrade(u *uplink, q Quality) error {
	key := u.to.name + " " + u.far
	if old := l.delays[key]; old != nil {
		delete(l.delays, key)
		if err := old.close(); err != nil {
			return err
		}
	}
	if q == (Quality{}) {
		return nil
	}
	if q.Queue == 0 {
		q.Queue = defaultQueue
	}
	l.tables++
	d, err := newDelayLine(u, q, 1000+l.tables)
	if err != nil {
		return err
	}
	l.delays[key] = d
	return nil
}

// delayLink is the name of the delay line's device for packets that come in by a link.
func delayLink(link string) string { return "d" + link[1:] }

// delayLine holds packets back. The router sends all that comes in by one link into a TUN device; the line writes it
// back to the same device when its time has come, and the router sends it on.
type delayLine struct {
	at      *Host
	quality Quality
	tun     *os.File
	rules   []*netlink.Rule
	done    sync.WaitGroup

	mu      sync.Mutex
	waiting packets
	free    time.Time     // when the rate lets the next packet start
	wake    chan struct{} // capacity 1: the earliest packet has changed
	closed  chan struct{}
}

func newDelayLine(u *uplink, q Quality, table int) (*delayLine, error) {
	d := &delayLine{at: u.to, quality: q, wake: make(chan struct{}, 1), closed: make(chan struct{})}
	name := delayLink(u.far)
	if err := d.at.on(func() (err error) { d.tun, err = openTUN(name); return err }); err != nil {
		return nil, err
	}
	d.done.Add(2)
	go d.read()
	go d.write()
	if err := d.divert(u.far, name, table); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// openTUN makes a device in the calling thread's network namespace. It has to be complete before the runtime's poller
// sees it.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w; %s", tunDevice, err, tunHint)
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make TUN device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (d *delayLine) divert(from, device string, table int) error {
	if err := d.at.linkUp(device); err != nil {
		return err
	}
	for _, v6 := range []bool{false, true} {
		if err := d.at.addRoute(path{link: device, table: table, anyIPv6: v6}); err != nil {
			return err
		}
		r := netlink.NewRule()
		r.IifName, r.Table, r.Priority, r.Family = from, table, table, unix.AF_INET
		if v6 {
			r.Family = unix.AF_INET6
		}
		if err := d.at.nl.RuleAdd(r); err != nil {
			return fmt.Errorf("divert packets of %s: %w", from, err)
		}
		d.rules = append(d.rules, r)
	}
	return nil
}

func (d *delayLine) close() error {
	var errs []error
	for _, r := range d.rules {
		errs = append(errs, d.at.nl.RuleDel(r))
	}
	close(d.closed)
	errs = append(errs, d.tun.Close())
	d.done.Wait()
	return errors.Join(errs...)
}

func (d *delayLine) read() {
	defer d.done.Done()
	buf := make([]byte, 65536)
	for {
		n, err := d.tun.Read(buf)
		if err != nil {
			return
		}
		d.take(time.Now(), buf[:n])
	}
}

// take queues one packet or drops it.
func (d *delayLine) take(now time.Time, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) >= d.quality.Queue || rand.Float64()*100 < d.quality.Loss {
		return
	}
	due := now
	if d.quality.Mbit > 0 {
		if d.free.After(due) {
			due = d.free
		}
		due = due.Add(time.Duration(float64(len(b)*8) * 1000 / d.quality.Mbit))
		d.free = due
	}
	due = due.Add(d.quality.Delay)
	if d.quality.Jitter > 0 {
		due = due.Add(rand.N(d.quality.Jitter))
	}
	heap.Push(&d.waiting, packet{due, append([]byte(nil), b...)})
	if d.waiting[0].due.Equal(due) {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

func (d *delayLine) write() {
	defer d.done.Done()
	for {
		p, wait := d.next(time.Now())
		if p != nil {
			_, _ = d.tun.Write(p) // a packet that the kernel refuses is lost
			continue
		}
		select {
		case <-d.closed:
			return
		case <-d.wake:
		case <-time.After(wait):
		}
	}
}

// next returns a packet whose time has come, or how long the next one still has to wait.
func (d *delayLine) next(now time.Time) ([]byte, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.waiting) == 0 {
		return nil, time.Hour
	}
	if wait := d.waiting[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&d.waiting).(packet).data, 0
}

type packet struct {
	due  time.Time
	data []byte
}

// packets is a heap, the earliest first.
type packets []packet

func (p packets) Len() int           { return len(p) }
func (p packets) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p packets) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *packets) Push(x any)        { *p = append(*p, x.(packet)) }
func (p *packets) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
