package esp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
)

// Bounds.
const (
	// MaxPairs is how many pairs one peer may have at once, those that linger included. Two are enough for a rekeying, four for two that
	// cross each other. Where keys change so fast that there would be more, what lingers goes, the oldest first.
	MaxPairs = 8
	// MaxPeers is how many peers may have pairs or keepalives.
	MaxPeers = 1 << 16
	// MaxReserved is how many SPIs may be offered whose pairs have not been installed.
	MaxReserved = 1 << 14
	// peersPerTick bounds one Tick; the rest stay due, and Deadline says so.
	peersPerTick = 64
)

// Timing.
const (
	// Linger is how long a deleted pair still receives.
	Linger = 5 * time.Second
	// patience is how long a pair that Waits is left unused while there is another to send with, and haste while there is none.
	patience = 10 * time.Second
	haste    = 250 * time.Millisecond
	// dueAgain is how long after EventDue it is said again.
	dueAgain = 30 * time.Second
	// silence is how long packets may go unanswered.
	silence = 15 * time.Second
	// MaxKeepalive bounds keepalives.
	MaxKeepalive = 65535 * time.Second
)

// Machine is the state of all pairs of one node. It is not safe for concurrent use.
//
// Instants that it is given may stand still; one that lies before the last is taken for the last.
type Machine struct {
	rnd      io.Reader
	now      mono.Time
	peers    map[key.WGPublic]*peer
	spis     map[SPI]*Pair // nil: reserved
	reserved int
	schedule agenda.Agenda[*peer]
}

// New makes a machine without peers. SPIs and jitter come from rnd, whose failure is a panic.
func New(rnd io.Reader) *Machine {
	return &Machine{rnd: rnd, now: 1, peers: map[key.WGPublic]*peer{}, spis: map[SPI]*Pair{}}
}

// SPI reserves an SPI that nothing else of ours has, to be offered to a peer.
func (m *Machine) SPI() (SPI, error) {
	if m.reserved == MaxReserved {
		return 0, fmt.Errorf("reserve an SPI: %d are, and came to nothing", MaxReserved)
	}
	for {
		s := SPI(ours | m.draw()&^oursMask)
		if _, taken := m.spis[s]; !taken {
			m.spis[s] = nil
			m.reserved++
			return s, nil
		}
	}
}

// Release takes back an SPI that no pair was made with.
func (m *Machine) Release(s SPI) {
	if p, taken := m.spis[s]; taken && p == nil {
		delete(m.spis, s)
		m.reserved--
	}
}

// Put sets after how long without a packet sent a dummy goes to a peer, to keep NATs open; 0: never.
func (m *Machine) Put(now mono.Time, name key.WGPublic, keepalive time.Duration, out *Out) error {
	now = m.advance(now)
	if keepalive < 0 || keepalive > MaxKeepalive {
		return fmt.Errorf("esp: put peer %s: keepalive is %v: want 0 (off) to %v", name.Short(), keepalive, MaxKeepalive)
	}
	p, err := m.peer(name)
	if err != nil {
		return fmt.Errorf("esp: put peer %s: %w", name.Short(), err)
	}
	p.keepalive, p.since = keepalive, now
	m.look(p, now, out)
	return nil
}

// Install makes a pair. k.Local must be reserved; after an error it still is.
func (m *Machine) Install(now mono.Time, name key.WGPublic, k Keys, out *Out) error {
	now = m.advance(now)
	p, err := m.install(now, name, k, out)
	if err != nil {
		return fmt.Errorf("esp: install a pair with %s: %w", name.Short(), err)
	}
	pair := p.pairs[len(p.pairs)-1].Pair
	out.pair(EventInstalled, pair)
	if !k.Waits {
		m.promote(p, pair, out)
		m.prove(p, now, out)
	}
	m.look(p, now, out)
	return nil
}

func (m *Machine) install(now mono.Time, name key.WGPublic, k Keys, out *Out) (*peer, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	if old, taken := m.spis[k.Local]; !taken || old != nil {
		return nil, fmt.Errorf("our SPI %v is not reserved", k.Local)
	}
	p, err := m.peer(name)
	if err != nil {
		return nil, err
	}
	if len(p.pairs) == MaxPairs && !m.makeRoom(p, out) {
		return nil, fmt.Errorf("there are %d already", MaxPairs)
	}
	pair, err := newPair(k, now, m.early(k.Life.with(k.ESN)), p.activity)
	if err != nil {
		m.forget(p)
		return nil, err
	}
	pair.peer = name
	m.spis[k.Local] = pair
	m.reserved--
	h := holding{Pair: pair, replaces: k.Replaces}
	if k.Waits {
		h.waits.Store(true)
		h.switchAt = now.Add(patience)
	}
	p.pairs = append(p.pairs, h)
	return p, nil
}

// Delete ends a pair by our SPI: it seals no more, and receives for Linger. If it was what packets were sealed with, the newest of the
// others takes over; one that waits to be heard used need wait no longer if it replaces the one that ends.
func (m *Machine) Delete(now mono.Time, s SPI, out *Out) {
	now = m.advance(now)
	pair := m.spis[s]
	if pair == nil {
		return
	}
	p := m.peers[pair.peer]
	if h := p.holds(pair); h.retireAt.IsNever() {
		h.retireAt = now.Add(Linger)
		h.accept()
		h.ended.Store(true)
	}
	if p.current == pair {
		p.current = nil
	}
	for i := range p.pairs {
		if h := &p.pairs[i]; h.replaces == s && !h.switchAt.IsNever() {
			h.switchAt = now
		}
	}
	m.look(p, now, out)
}

// Remove forgets a peer and its pairs at once. Removing one that is not there does nothing.
func (m *Machine) Remove(name key.WGPublic, out *Out) {
	p := m.peers[name]
	if p == nil {
		return
	}
	for _, h := range p.pairs {
		m.retire(h.Pair, out)
	}
	m.schedule.Remove(p)
	delete(m.peers, name)
}

// Attend reads what the workers have left in a pair, because Sent or Received asked for it.
func (m *Machine) Attend(now mono.Time, pair *Pair, out *Out) {
	now = m.advance(now)
	if m.spis[pair.local] == pair { // else it was retired while the report was on its way
		m.look(m.peers[pair.peer], now, out)
	}
}

// Deadline is when Tick wants to be called; Never: not before the next input.
func (m *Machine) Deadline() mono.Time { return m.schedule.Deadline() }

// Tick does what is due, for a bounded number of peers; if there are more, Deadline is still in the past.
func (m *Machine) Tick(now mono.Time, out *Out) {
	now = m.advance(now)
	for range peersPerTick {
		p, due := m.schedule.Due(now)
		if !due {
			return
		}
		m.look(p, now, out)
	}
}

// Pair is the one with an SPI of ours; nil: there is none.
func (m *Machine) Pair(s SPI) *Pair { return m.spis[s] }

// Current is what a peer's packets are sealed with; nil: nothing.
func (m *Machine) Current(name key.WGPublic) *Pair {
	if p := m.peers[name]; p != nil {
		return p.current
	}
	return nil
}

// Waiting reports whether a pair of a peer's waits to be heard used. It does so for a moment only, if there is nothing else to seal with.
func (m *Machine) Waiting(name key.WGPublic) bool {
	p := m.peers[name]
	return p != nil && p.waits()
}

// advance keeps time from running backwards.
func (m *Machine) advance(now mono.Time) mono.Time {
	m.now = max(m.now, now)
	return m.now
}

func (m *Machine) peer(name key.WGPublic) (*peer, error) {
	if p := m.peers[name]; p != nil {
		return p, nil
	}
	if len(m.peers) == MaxPeers {
		return nil, fmt.Errorf("there are %d peers, the most that are allowed", MaxPeers)
	}
	if name.IsZero() {
		return nil, errors.New("it has no name")
	}
	p := &peer{name: name, activity: new(activity)}
	m.peers[name] = p
	return p, nil
}

// forget lets go of a peer of which there is nothing to know.
func (m *Machine) forget(p *peer) {
	if len(p.pairs) == 0 && p.keepalive == 0 {
		m.schedule.Remove(p)
		delete(m.peers, p.name)
	}
}

// makeRoom ends the linger of the pair that would retire first; false: none lingers.
func (m *Machine) makeRoom(p *peer, out *Out) bool {
	first := -1
	for i := range p.pairs {
		if at := p.pairs[i].retireAt; !at.IsNever() && (first < 0 || at < p.pairs[first].retireAt) {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	m.retire(p.pairs[first].Pair, out)
	p.pairs = slices.Delete(p.pairs, first, first+1)
	return true
}

func (m *Machine) retire(p *Pair, out *Out) {
	delete(m.spis, p.local)
	out.pair(EventRetired, p)
}

func (m *Machine) draw() uint32 {
	var b [4]byte
	if _, err := io.ReadFull(m.rnd, b[:]); err != nil {
		panic("esp: no random numbers: " + err.Error())
	}
	return binary.BigEndian.Uint32(b[:])
}

// early is how much sooner than at its time the soft lifetime of a pair ends.
func (m *Machine) early(l Life) time.Duration {
	return time.Duration(float64(m.draw()) / (1 << 32) * jitter * float64(l.Soft.Time))
}
