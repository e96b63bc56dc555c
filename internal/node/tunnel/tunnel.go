package tunnel

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// Config is what a tunnel is made of.
type Config struct {
	Self key.WGPublic // our own name among peers
	// TUN is the inside and Sockets the outside; both belong to the tunnel from now on: it closes them, also when New fails. There is
	// a pair of workers for each queue and socket; their numbers must be equal.
	TUN     tun.Device
	Sockets []sock.Socket
	// Transports are made by these, each given the tunnel that it works for.
	Transports map[Class]Build
	Guide      BuildGuide // of guided peers; nil: there are none
	// Spare opens another socket for the guide, on a port of its own; nil: there are none.
	Spare func() (sock.Socket, error)
	// PathMTU tells what the system knows of the path to an address, in bytes of the IP packet; nil: nothing.
	PathMTU func(netip.Addr) (int, error)
	// Refused is where no plain peer is, whoever says so: the inside, above all. What is no peer's address anywhere is refused besides.
	Refused []netip.Prefix
	Budget  *Budget      // of packet memory, shared by the tunnels of a process; nil: one of its own
	Clock   mono.Clock   // zero: a new one
	Log     *slog.Logger // nil: silent
}

// Build makes a Transport for a tunnel.
type Build func(Host) (Transport, error)

// Host is what a Transport may ask of its tunnel, while the tunnel calls it.
type Host interface {
	// Find returns the peer with a key, nil if there is none.
	Find(key.WGPublic) *Peer
	// Clock is what all instants come from.
	Clock() mono.Clock
	// Free tells what passes between this node and a peer in any case; false: the filter wants to see each packet.
	Free(*Peer) (Free, bool)
}

// Filter decides about packets; it is a *flow.Table. Several workers ask at once, once for a packet or a train. size is the length of all
// of it in bytes, as its IP header says; packet may be the beginning of a train only, with all headers. ipsec says whether it came by IPsec,
// or will leave by it.
type Filter interface {
	Out(now mono.Time, packet []byte, size int, ipsec bool) bool
	In(now mono.Time, packet []byte, size int, ipsec bool) bool
}

// Tunnel carries the packets of one membership. Its methods may be called from any goroutine.
type Tunnel struct {
	self        key.WGPublic
	tun         tun.Device
	exits       []*exit            // the device's queues
	doors       []*door            // one for each queue,
	lanes       []*door            // and for what it sends in lanes of relays
	inside      atomic.Int32       // the MTU there, in bytes
	joins       []offload.Protocol // the trains that the host takes
	clock       mono.Clock
	log         *slog.Logger
	budget      *Budget
	taken       int // of the budget, by workers
	seed        maphash.Seed
	spareSocket func() (sock.Socket, error)
	pathMTU     func(netip.Addr) (int, error)
	refused     []netip.Prefix

	// Read by workers.
	routes   routes
	sessions [classes]*table[*receiving]
	offered  *table[struct{}]        // indices of ESP that peers were told, and that have no session yet
	expected *table[*expected]       // by what relays call their senders
	sources  atomic.Pointer[sources] // nil: everything passes
	filter   atomic.Pointer[Filter]  // nil: likewise
	drops    tally

	owner   *owner
	done    chan struct{} // closed when the tunnel has failed by itself
	failed  sync.Once
	closing atomic.Bool
	workers sync.WaitGroup
}

// New starts a tunnel without peers.
func New(c Config) (*Tunnel, error) {
	t := &Tunnel{
		self: c.Self, tun: c.TUN, clock: c.Clock, log: c.Log, budget: c.Budget, pathMTU: c.PathMTU, refused: c.Refused, spareSocket: c.Spare,
		seed: maphash.MakeSeed(), routes: routes{hosts: newTable[*Peer](rand.Uint64())}, done: make(chan struct{}),
	}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if t.budget == nil {
		t.budget = NewBudget(0)
	}
	if c.Clock == (mono.Clock{}) {
		t.clock = mono.NewClock()
	}
	if c.TUN.Stats().TSO {
		t.joins = append(t.joins, offload.TCP)
	}
	if c.TUN.Stats().USO {
		t.joins = append(t.joins, offload.UDP)
	}
	t.inside.Store(int32(c.TUN.MTU()))
	for _, s := range c.Sockets {
		t.doors, t.lanes = append(t.doors, newDoor(s)), append(t.lanes, newDoor(s))
	}
	t.offered = newTable[struct{}](rand.Uint64())
	for i := range t.sessions {
		t.sessions[i] = newTable[*receiving](rand.Uint64())
	}
	t.expected = newTable[*expected](rand.Uint64())
	if err := t.start(c); err != nil {
		t.tun.Close()
		_ = t.closeDoors()
		return nil, err
	}
	return t, nil
}

func (t *Tunnel) start(c Config) error {
	queues := t.tun.Queues()
	if len(queues) != len(t.doors) || len(queues) == 0 {
		return errors.New("start the tunnel: queues and sockets differ in number")
	}
	if len(c.Transports) == 0 {
		return errors.New("start the tunnel: it speaks no protocol")
	}
	need := len(queues)*(outboundMemory+inboundMemory) + batchMemory
	if err := t.budget.reserve(need); err != nil {
		return fmt.Errorf("start the tunnel: %w", err)
	}
	t.taken = need
	o := newOwner(t, t.batch(0))
	t.owner = o
	for _, q := range queues {
		t.exits = append(t.exits, &exit{Queue: q})
	}
	if err := o.build(c); err != nil {
		t.budget.release(need)
		return err
	}
	t.workers.Go(o.run)
	for i := range queues {
		out := newOutbound(t, t.exits[i], t.batch(i))
		t.workers.Go(func() { t.ended(out.run()) })
		t.listen(i, t.doors[i].now())
	}
	return nil
}

// ended is called with the reason for which a worker has ended.
func (t *Tunnel) ended(err error) {
	if t.closing.Load() {
		return
	}
	t.failed.Do(func() {
		t.log.Warn("tunnel ended", logx.Err, err)
		close(t.done)
	})
}

// Consult lets f ask a protocol's transport, and have it do something, on the owner's goroutine. find is Host.Find. false: the tunnel is closed,
// or does not speak it.
func (t *Tunnel) Consult(protocol Class, f func(now mono.Time, tr Transport, find func(key.WGPublic) *Peer, out *Out)) (ok bool) {
	err := t.owner.do(func() {
		tr := t.owner.transports[protocol]
		if ok = tr != nil; !ok {
			return
		}
		now := t.clock.Now()
		f(now, tr, t.owner.Find, &t.owner.out)
		t.owner.act(now)
	})
	return ok && err == nil
}

// Sessions is how many receive, by a protocol.
func (t *Tunnel) Sessions(protocol Class) (n int) {
	data := WireGuardData
	if protocol == IKE {
		data = ESP
	}
	_ = t.owner.do(func() { n = t.sessions[data].n }) // a closed tunnel has none
	return n
}

// Done is closed when the tunnel has failed by itself (the TUN device was taken away, say).
func (t *Tunnel) Done() <-chan struct{} { return t.done }

// Port is the UDP port in use.
func (t *Tunnel) Port() uint16 { return t.doors[0].Port() }

// Close ends the tunnel and closes its TUN device and sockets. It may be called again, and after the tunnel has ended by itself.
func (t *Tunnel) Close() error {
	if t.closing.Swap(true) {
		t.workers.Wait()
		return nil
	}
	err := errors.Join(t.tun.Close(), t.closeDoors()) // nobody waits in a system call any more
	t.owner.stop()
	err = errors.Join(err, t.closeDoors()) // nor for sockets that came at this very moment
	for _, x := range t.owner.gone() {
		err = errors.Join(err, x.Close())
	}
	t.workers.Wait()
	for _, p := range t.owner.peers {
		t.forsake(p, NoSession)
	}
	t.budget.release(t.taken)
	return err
}

func (t *Tunnel) closeDoors() (err error) {
	for _, d := range t.doors {
		err = errors.Join(err, d.Close())
	}
	return err
}

// SetSources says which inner addresses are the node's own, and which ranges are behind it: packets of the host from any other are dropped. Until it is
// called nothing is.
func (t *Tunnel) SetSources(own []netip.Addr, behind ...netip.Prefix) {
	s := &sources{own: make([]address, len(own)), behind: rangesOf(behind)}
	for i, a := range own {
		s.own[i] = addressOf(a)
	}
	t.sources.Store(s)
}

// SetFilter replaces the filter; nil lets everything pass.
func (t *Tunnel) SetFilter(f Filter) {
	if f == nil {
		t.filter.Store(nil)
		return
	}
	t.filter.Store(&f)
}

func (t *Tunnel) mine(a address) bool {
	s := t.sources.Load()
	return s == nil || slices.Contains(s.own, a) || s.behind.has(a)
}

func (t *Tunnel) allowsOut(now mono.Time, p *Peer, packet []byte) bool {
	f := t.filter.Load()
	return f == nil || (*f).Out(now, packet, len(packet), p.seals() == IKE)
}

func (t *Tunnel) allowsIn(now mono.Time, r *offload.Run, by Class) bool {
	f := t.filter.Load()
	if f == nil {
		return true
	}
	size := 0
	for _, part := range r.Parts {
		size += len(part)
	}
	return (*f).In(now, r.Parts[0], size, by == ESP)
}

// fits is the size of the largest inner packet that reaches a peer whole, in bytes.
func (t *Tunnel) fits(p *Peer) int {
	if to := p.path.Load(); to != nil {
		if limit := int(to.limit.Load()); limit > 0 {
			return min(limit, t.mtu())
		}
	}
	return t.mtu()
}

// fitsFor is the same for a packet: IPv6 allows none of them to be told less than minInner.
func (t *Tunnel) fitsFor(p *Peer, packet []byte) int {
	limit := t.fits(p)
	if limit < minInner && packet[0]>>4 == 6 {
		return min(minInner, t.mtu())
	}
	return limit
}

// drop counts packets of nobody that is known.
func (t *Tunnel) drop(r Reason, n int) { t.drops.add(r, n) }

// refuse counts packets from or to a peer.
func (t *Tunnel) refuse(p *Peer, r Reason, n int) {
	t.drops.add(r, n)
	p.drop(r, n)
}

// wall turns an instant of the tunnel's clock into a time of day; the zero Time for Never.
func (t *Tunnel) wall(at mono.Time) time.Time {
	if at.IsNever() {
		return time.Time{}
	}
	return time.Now().Add(at.Sub(t.clock.Now()))
}
