package ike

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Machine is the state of all IKE SAs of one node. It is not safe for concurrent use.
//
// Instants that it is given may stand still; one that lies before the last is taken for the last.
type Machine struct {
	cfg      Config
	rnd      io.Reader
	now      mono.Time
	sas      map[msg.SPI]*sa // by our SPI
	sessions map[ID]*session
	calls    map[ID]*sa // that we began and whose peer has not proved itself
	halves   map[half]*sa
	sources  map[netip.Addr]int // half-open SAs by network
	names    map[string][]*session
	baker    baker
	hints    hints
	reach    []netip.Addr // of ours; see Reachable
	lastID   ID
	schedule agenda.Agenda[*sa]
	written  []byte                                      // see write
	method   func(msg.TransformID) (crypt.Method, error) // crypt.NewMethod; the simulation, which has no secrets, has cheaper ones
}

// half names a half-open SA that a stranger began.
type half struct {
	spi  msg.SPI
	from netip.AddrPort
}

// New makes a machine without peers. Nonces, SPIs and jitter come from rnd, whose failure is a panic.
func New(cfg Config, rnd io.Reader) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Machine{
		cfg: cfg.withDefaults(), rnd: rnd, now: 1, method: crypt.NewMethod,
		sas: map[msg.SPI]*sa{}, sessions: map[ID]*session{}, calls: map[ID]*sa{}, halves: map[half]*sa{}, names: map[string][]*session{}, sources: map[netip.Addr]int{},
	}, nil
}

// Initiate begins to speak to a peer. EventUp or EventDown follows.
func (m *Machine) Initiate(now mono.Time, p Peer, path Path, out *Out) (ID, error) {
	m.advance(now)
	if err := p.check(); err != nil {
		return 0, fmt.Errorf("ike: initiate with %q: %w", p.Name, err)
	}
	if len(m.sessions)+len(m.calls) >= m.cfg.MaxSessions {
		return 0, fmt.Errorf("ike: initiate with %q: there are %d already, the most that are allowed", p.Name, m.cfg.MaxSessions)
	}
	s, err := m.call(p, path, out)
	if err != nil {
		return 0, fmt.Errorf("ike: initiate with %q: %w", p.Name, err)
	}
	m.look(s)
	return s.opening.id, nil
}

// ErrUnknown is returned for an ID or an SPI that is down, or was never up.
var ErrUnknown = errors.New("ike: there is no such session or Child SA")

// Terminate deletes all SAs with a peer, and tells it. EventDown follows.
func (m *Machine) Terminate(now mono.Time, id ID, out *Out) error {
	m.advance(now)
	if s := m.calls[id]; s != nil {
		m.hangUp(s, Event{Reason: Asked}, out)
		return nil
	}
	x := m.sessions[id]
	if x == nil {
		return ErrUnknown
	}
	x.callOff(out)
	x.terminate(Asked, out)
	m.lookAll(x)
	return nil
}

// CreateChild asks the peer for another Child SA. EventChildUp or EventChildFailed follows.
func (m *Machine) CreateChild(now mono.Time, id ID, c Child, out *Out) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("ike: create a Child SA: %w", err)
	}
	return m.want(now, id, &createChild{wish: c}, out)
}

// RekeyChild asks the peer to replace the Child SA on which we receive with spi.
func (m *Machine) RekeyChild(now mono.Time, id ID, spi uint32, out *Out) error {
	if err := m.has(id, spi); err != nil {
		return err
	}
	return m.want(now, id, &createChild{old: spi}, out)
}

// DeleteChild deletes the Child SA on which we receive with spi, and tells the peer.
func (m *Machine) DeleteChild(now mono.Time, id ID, spi uint32, out *Out) error {
	if err := m.has(id, spi); err != nil {
		return err
	}
	return m.want(now, id, &deleteChild{spi: spi}, out)
}

// has reports whether there is a Child SA on which we receive with spi.
func (m *Machine) has(id ID, spi uint32) error {
	x := m.sessions[id]
	if x == nil || x.byIn(spi) == nil {
		return ErrUnknown
	}
	return nil
}

// Rekey replaces the IKE SA now.
func (m *Machine) Rekey(now mono.Time, id ID, out *Out) error {
	return m.want(now, id, &rekeyIKE{}, out)
}

// Probe asks the peer whether it lives, unless something else is on its way that will tell. EventDown follows if it does not.
func (m *Machine) Probe(now mono.Time, id ID, out *Out) error {
	return m.want(now, id, &probe{}, out)
}

// Heard says that something else, such as a packet of ESP, has shown that the peer lives.
func (m *Machine) Heard(now mono.Time, id ID) {
	m.advance(now)
	if x := m.sessions[id]; x != nil {
		x.heard = m.now
		m.look(x.sa)
	}
}

func (m *Machine) want(now mono.Time, id ID, t task, out *Out) error {
	m.advance(now)
	x := m.sessions[id]
	if x == nil {
		return ErrUnknown
	}
	if err := x.enqueue(t); err != nil {
		return err
	}
	x.proceed(out)
	m.lookAll(x)
	return nil
}

func (m *Machine) advance(now mono.Time) { m.now = max(m.now, now) }

func (m *Machine) random(b []byte) {
	if _, err := io.ReadFull(m.rnd, b); err != nil {
		panic("ike: no random numbers: " + err.Error())
	}
}

func (m *Machine) nonce() []byte {
	b := make([]byte, nonceSize)
	m.random(b)
	return b
}

// newSA makes an SA with an SPI that nothing else has.
func (m *Machine) newSA(initiator bool) *sa {
	for {
		var b [8]byte
		m.random(b[:])
		spi := msg.SPI(binary.BigEndian.Uint64(b[:]))
		if spi == 0 || m.sas[spi] != nil {
			continue
		}
		s := &sa{m: m, local: spi, initiator: initiator}
		m.sas[spi] = s
		return s
	}
}

func (m *Machine) newID() ID {
	m.lastID++
	return m.lastID
}

// notHalf takes an SA out of the half-open ones.
func (m *Machine) notHalf(s *sa) {
	if m.halves[s.half] != s {
		return
	}
	delete(m.halves, s.half)
	n := network(s.half.from.Addr())
	if m.sources[n]--; m.sources[n] == 0 {
		delete(m.sources, n)
	}
}
