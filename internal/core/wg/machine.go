package wg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
)

// Config is what a machine is made of.
type Config struct {
	// Private is our static key. To change it, make a new machine.
	Private key.WGPrivate
	// Lookup is asked for a peer that spoke first and was never Put. It must not call the machine. Nil: there are none.
	Lookup func(key.WGPublic) (Peer, bool)
	// Epoch is the wall clock's time at mono.Time zero. Peers refuse initiations whose time is not later than the last they
	// accepted, so it must not lie before the Epoch plus the age of the machine's previous life; on a host that may lose its
	// clock, take the later of the clock and what was stored.
	Epoch time.Time
	// MaxPeers bounds the peers; zero: 65,536.
	MaxPeers int
	// HandshakesPerSecond is the rate of handshake messages beyond which senders must prove their address by a cookie;
	// zero: 2,000, about half a core.
	HandshakesPerSecond int
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Private.IsZero() {
		errs = append(errs, errors.New("private key is missing"))
	}
	if c.Epoch.Unix() <= 0 {
		errs = append(errs, errors.New("epoch is missing: set it to the wall clock's time at mono zero"))
	}
	if c.MaxPeers < 0 {
		errs = append(errs, fmt.Errorf("max peers is %d: want 0 (default) or more", c.MaxPeers))
	}
	if c.HandshakesPerSecond < 0 || c.HandshakesPerSecond > int(time.Second) {
		errs = append(errs, fmt.Errorf("handshakes per second is %d: want 0 (default) to 1e9", c.HandshakesPerSecond))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("wg: config: %w", errors.Join(errs...))
}

// Machine is the protocol state of one WireGuard interface. It is not safe for concurrent use.
//
// Instants that it is given may stand still; one that lies before the last is taken for the last. They should come from a clock
// that counts the host's sleep; where there is none, call Renew after waking.
type Machine struct {
	id       identity
	guard    guard
	load     load
	lookup   func(key.WGPublic) (Peer, bool)
	epoch    time.Time
	maxPeers int
	rnd      io.Reader

	now      mono.Time
	peers    map[key.WGPublic]*peer
	indices  map[uint32]*peer // of attempts and sessions
	schedule agenda.Agenda[*peer]
}

// New makes a machine without peers. Keys and nonces come from rnd, whose failure is a panic.
func New(cfg Config, rnd io.Reader) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	id, err := newIdentity(cfg.Private)
	if err != nil {
		return nil, errors.New("wg: config: private key is refused by X25519")
	}
	return &Machine{
		id:       id,
		guard:    newGuard(id.public),
		load:     newLoad(orDefault(cfg.HandshakesPerSecond, defaultHandshakesPerSecond)),
		lookup:   cfg.Lookup,
		epoch:    cfg.Epoch,
		maxPeers: orDefault(cfg.MaxPeers, defaultMaxPeers),
		rnd:      rnd,
		now:      1,
		peers:    map[key.WGPublic]*peer{},
		indices:  map[uint32]*peer{},
	}, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// Put adds a peer or changes what is configured of it. A peer that gets a Keepalive is spoken to at once.
// After an error the machine is as it was.
func (m *Machine) Put(now mono.Time, cfg Peer, out *Out) error {
	now = m.advance(now)
	if err := m.check(cfg); err != nil {
		return fmt.Errorf("wg: put peer %s: %w", cfg.Public.Short(), err)
	}
	p := m.peers[cfg.Public]
	before := time.Duration(0)
	if p == nil {
		p = newPeer(cfg, now)
		m.peers[cfg.Public] = p
	} else {
		before = p.keepalive
		p.configure(cfg, now)
	}
	if p.keepalive > 0 && before == 0 {
		m.speak(p, now, out)
	}
	m.look(p, now, out)
	return nil
}

func (m *Machine) check(cfg Peer) error {
	switch {
	case cfg.Public.IsZero():
		return errors.New("public key is missing")
	case cfg.Public == m.id.public:
		return errors.New("public key is our own")
	case cfg.Keepalive < 0 || cfg.Keepalive > 65535*time.Second:
		return fmt.Errorf("keepalive is %v: want 0 (off) to 65535s", cfg.Keepalive)
	case m.peers[cfg.Public] == nil && len(m.peers) >= m.maxPeers:
		return fmt.Errorf("there are %d already, the most that are allowed", m.maxPeers)
	}
	return nil
}

// Remove forgets a peer. Removing one that is not there does nothing.
func (m *Machine) Remove(public key.WGPublic, out *Out) {
	p := m.peers[public]
	if p == nil {
		return
	}
	m.endAttempt(p)
	for _, s := range p.keys.all() {
		m.retire(s, out)
	}
	m.schedule.Remove(p)
	delete(m.peers, public)
}

// Wake says that somebody wishes to send to a peer for which there is no usable session. It may be called for every packet.
func (m *Machine) Wake(now mono.Time, public key.WGPublic, out *Out) {
	now = m.advance(now)
	if p := m.peers[public]; p != nil && !m.usable(p, now) {
		m.want(p, now, out)
		m.look(p, now, out)
	}
}

// Renew begins a handshake with a peer although its session may be usable: after the host has slept, for example, when the
// peer's end of the session may be gone. An unknown peer is ignored.
func (m *Machine) Renew(now mono.Time, public key.WGPublic, out *Out) {
	now = m.advance(now)
	if p := m.peers[public]; p != nil {
		m.want(p, now, out)
		m.look(p, now, out)
	}
}

// Attend reads what the workers have left in s, because Sent or Received asked for it.
func (m *Machine) Attend(now mono.Time, s *Session, out *Out) {
	now = m.advance(now)
	if p := m.indices[s.local]; p != nil && p.keys.holds(s) { // else it was retired while the report was on its way
		m.look(p, now, out)
	}
}

// Press says that handshake messages arrive faster than the caller hands them over: for the next second the machine asks for
// cookies, as it does by itself beyond Config.HandshakesPerSecond.
func (m *Machine) Press(now mono.Time) { m.load.press(m.advance(now)) }

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

// Public is our own public key.
func (m *Machine) Public() key.WGPublic { return m.id.public }

// Peers is how many peers there are.
func (m *Machine) Peers() int { return len(m.peers) }

// Status tells about one peer; false: there is none of that name.
func (m *Machine) Status(public key.WGPublic) (Status, bool) {
	p := m.peers[public]
	if p == nil {
		return Status{}, false
	}
	return p.status(), true
}

// advance keeps time from running backwards.
func (m *Machine) advance(now mono.Time) mono.Time {
	m.now = max(m.now, now)
	return m.now
}

// index makes a number for a new attempt or session that nothing else of ours has, and gives it to p.
func (m *Machine) index(p *peer) uint32 {
	for {
		var b [4]byte
		fill(m.rnd, b[:])
		i := binary.LittleEndian.Uint32(b[:])
		if _, taken := m.indices[i]; !taken {
			m.indices[i] = p
			return i
		}
	}
}

func (m *Machine) retire(s *Session, out *Out) {
	if s != nil {
		delete(m.indices, s.local)
		out.session(EventRetired, s)
	}
}
