package esp

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// Pair is an SA in each direction, with their counters. Apart from those, the replay window and a few marks, which are atomic, it never
// changes. All its methods may be called by any number of goroutines at once, and none that is called for a packet allocates.
type Pair struct {
	form          form
	seal          sealer
	open          opener
	suite         Suite
	local, remote SPI
	esn           bool
	counted       bool // bytes are
	partial       bool // the peer takes partial checksums
	peer          key.WGPublic
	born, due     mono.Time // due is when another is wanted
	dies          mono.Time // Never: not because of its age
	life          Life
	selectors     selectors
	activity      *activity

	proven atomic.Bool                // a worker has received something
	stale  atomic.Bool                // a worker has found it due for replacement
	waits  atomic.Bool                // the owner wants to know when it is proven
	noted  atomic.Bool                // the owner knows that it is stale
	ended  atomic.Bool                // the owner has deleted it: it seals no more
	astray atomic.Pointer[netip.Addr] // where something came to, though opening is lent; nil: nothing did

	_     [64]byte      // senders and receivers shall not share a cache line
	next  atomic.Uint64 // lent: others seal
	sent  atomic.Uint64 // bytes, if counted
	afar  atomic.Uint64 // the last number of others, as far as is known
	kept  stragglers
	_     [64]byte
	taken atomic.Uint64 // likewise
	floor atomic.Uint64 // no number up to here is accepted; lent: others open
	window
}

// Local is the SPI that the peer sends to. It is unique among a machine's pairs.
func (p *Pair) Local() SPI { return p.local }

// Remote is the SPI that we send to.
func (p *Pair) Remote() SPI { return p.remote }

// Peer is whom the pair is with.
func (p *Pair) Peer() key.WGPublic { return p.peer }

// TakesPartial reports whether the peer takes packets with partial checksums.
func (p *Pair) TakesPartial() bool { return p.partial }

// Born is when it was installed.
func (p *Pair) Born() mono.Time { return p.born }

// Suite is how it protects packets.
func (p *Pair) Suite() Suite { return p.suite }

// Usable reports whether the pair may still seal: it is neither too old nor used up.
func (p *Pair) Usable(now mono.Time) bool {
	return !p.stopped(now) && p.last() < p.life.Hard.Packets
}

// Reserve takes n consecutive sequence numbers for sealing and returns the first. It takes none and returns false when the pair is too old
// or used up. A number may stay unused, but must never be used twice.
func (p *Pair) Reserve(now mono.Time, n int) (first uint64, ok bool) {
	if p.stopped(now) {
		return 0, false
	}
	for {
		first := p.next.Load()
		if first == lent {
			return p.kept.reserve(n)
		}
		if left := p.life.Hard.Packets + 1 - first; uint64(n) > left {
			return 0, false
		}
		if p.next.CompareAndSwap(first, first+uint64(n)) {
			return first, true
		}
	}
}

// stopped reports whether the pair seals no more, whatever its numbers.
func (p *Pair) stopped(now mono.Time) bool {
	return p.expired(now) || p.ended.Load() || p.counted && p.sent.Load() >= p.life.Hard.Bytes
}

// Seal appends the datagram for a packet of IPv4 or IPv6, or of no bytes for a dummy, to dst, whose room beyond the packet's length is
// Overhead; without it Seal allocates. The packet must not lie in that room. A packet of traffic that was not agreed on is not sealed: dst
// comes back as it was (RFC 4301 §4.4.1), and the number stays unused.
func (p *Pair) Seal(dst []byte, seq uint64, packet []byte) []byte {
	if len(packet) > 0 && !p.selectors.covers(packet) {
		return dst
	}
	start, header, n := len(dst), p.form.header(), p.form.body(len(packet))
	end := start + header + n + p.form.icv
	if most := end + p.form.scratch(); most > cap(dst) {
		dst = append(dst, make([]byte, most-start)...)
	}
	dst = dst[:end]
	msg := dst[start:]
	binary.BigEndian.PutUint32(msg, uint32(p.remote))
	binary.BigEndian.PutUint32(msg[4:], uint32(seq))
	body := msg[header : header+n]
	copy(body, packet)
	finish(body, len(packet))
	p.seal.seal(msg, n, seq)
	if p.counted {
		p.sent.Add(uint64(len(packet)))
	}
	return dst
}

// Open returns the packet in a datagram for this pair, in place, if it is authentic and new. A dummy is a packet of no bytes. Whatever the
// result, the datagram's content is lost.
func (p *Pair) Open(now mono.Time, datagram []byte) ([]byte, Drop) {
	if len(datagram) < p.form.least() {
		return nil, DropMalformed
	}
	if p.expired(now) || p.counted && p.taken.Load() >= p.life.Hard.Bytes {
		return nil, DropExpired
	}
	low := binary.BigEndian.Uint32(datagram[4:])
	seq := uint64(low)
	if p.esn {
		seq = p.window.whole(low)
	}
	switch floor := p.floor.Load(); {
	case floor == lent:
		return nil, DropLent
	case seq <= floor || !p.fresh(seq):
		return nil, DropReplayed
	case seq > p.life.Hard.Packets:
		return nil, DropExpired
	}
	body, ok := p.open.open(datagram, seq)
	if !ok {
		return nil, p.fault(seq)
	}
	if !p.accept(seq) {
		return nil, DropReplayed
	}
	if p.OpeningLent() { // meanwhile
		return nil, DropLent
	}
	return p.inner(body)
}

// fault is why a datagram that was taken for number seq is not authentic. Of extended numbers, one that is too old for the window is
// taken for one that is far ahead.
func (p *Pair) fault(seq uint64) Drop {
	if p.esn && seq > p.top.Load()+1<<31 {
		return DropReplayed
	}
	return DropForged
}

// inner is the packet in an authentic and new datagram.
func (p *Pair) inner(body []byte) ([]byte, Drop) {
	inner, ok := packet(body)
	switch {
	case !ok:
		return nil, DropMalformed
	case len(inner) > 0 && !p.selectors.allow(inner):
		return nil, DropSelector
	}
	if p.counted {
		p.taken.Add(uint64(len(inner)))
	}
	return inner, Taken
}

// Sent marks that packets were sealed and sent, once for a batch. It reports whether the owner should be told, by Machine.Attend.
func (p *Pair) Sent(now mono.Time) (tell bool) {
	p.activity.send(now)
	if p.last() >= p.life.Soft.Packets || p.counted && p.sent.Load() >= p.life.Soft.Bytes {
		p.wear()
	}
	return p.tell()
}

// Received marks that packets were opened, once for a batch; from is where they came from. It reports whether the owner should be
// told, by Machine.Attend.
func (p *Pair) Received(now mono.Time, from Source) (tell bool) {
	p.activity.receive(now)
	p.activity.heard.Set(from)
	if !p.proven.Load() {
		p.proven.Store(true)
	}
	if p.top.Load() >= p.life.Soft.Packets || p.counted && p.taken.Load() >= p.life.Soft.Bytes {
		p.wear()
	}
	return p.tell()
}

func (p *Pair) wear() {
	if !p.stale.Load() {
		p.stale.Store(true)
	}
}

// tell reports whether something waits that the owner does not know of.
func (p *Pair) tell() bool {
	a := p.activity
	return !a.armed.Load() || p.waits.Load() && p.proven.Load() || p.stale.Load() && !p.noted.Load() || a.heard.Get() != a.announced.Get()
}

func (p *Pair) expired(now mono.Time) bool { return !p.dies.IsNever() && now >= p.dies }

// newPair makes a pair of what IKE has agreed on.
func newPair(k Keys, now mono.Time, early time.Duration, a *activity) (*Pair, error) {
	p := &Pair{
		form: forms[k.Suite], suite: k.Suite, local: k.Local, remote: k.Remote, esn: k.ESN, born: now, life: k.Life.with(k.ESN), activity: a,
		window: newWindow(max(k.Window, LeastWindow)),
	}
	p.counted, p.partial = k.Life.counted(), k.TakesPartial
	p.next.Store(1)
	p.dies, p.due = now.Add(p.life.Hard.Time), now.Add(p.life.Soft.Time-early)
	var err error
	if p.selectors, err = newSelectors(k.Theirs, k.Ours); err != nil {
		return nil, err
	}
	if p.seal, err = k.sealer(); err != nil {
		return nil, err
	}
	p.open, err = k.opener()
	return p, err
}
