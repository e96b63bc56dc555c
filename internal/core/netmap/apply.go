package netmap

import (
	"fmt"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// stage holds what the pieces of one snapshot or delta have brought so far.
type stage struct {
	from, to  cursor
	snapshot  bool
	network   *Network
	self      *Self
	upsert    map[ident.Node]*entry
	remove    map[ident.Node]bool
	soft      map[ident.Node]Soft
	devices   map[ident.Plain]*device
	gone      map[ident.Plain]bool
	relays    []control.Relay
	newRelays bool  // a list of relays came
	rules     Rules // without a name while parts of them are missing
	trust     *control.Authorities
	strays    []Event // faults of what cannot be named or kept
	bytes     int
}

// maxStrays is how many of those that cannot be named or kept are told about.
const maxStrays = 16

func newStage(m *pb.Map) *stage {
	return &stage{
		from: cursorOf(m.From), to: cursorOf(m.To), snapshot: m.Snapshot,
		upsert: map[ident.Node]*entry{}, remove: map[ident.Node]bool{}, soft: map[ident.Node]Soft{},
		devices: map[ident.Plain]*device{}, gone: map[ident.Plain]bool{},
	}
}

// stray notes a fault of something that the table does not keep.
func (s *stage) stray(kind Kind, why string) {
	if len(s.strays) < maxStrays {
		s.strays = append(s.strays, Event{Kind: kind, Why: why})
	}
}

// hard reports whether the stage changes anything but soft state.
func (s *stage) hard() bool {
	return s.snapshot || s.rules.Name != 0 || s.network != nil || s.self != nil || len(s.upsert)+len(s.remove)+len(s.devices)+len(s.gone) > 0
}

// Begin starts a session: the pieces of a map that was not finished are forgotten.
func (t *Table) Begin() { t.stage = nil }

// Apply takes one Map message. The table changes with the last piece; then out tells what is different, else it is empty. After
// an error the table is as it was before the first piece.
func (t *Table) Apply(m *pb.Map, out *Out) error {
	out.Events = out.Events[:0]
	if err := t.take(m); err != nil {
		t.stage = nil
		return fmt.Errorf("netmap: %w", err)
	}
	if m.More {
		return nil
	}
	s := t.stage
	t.stage = nil
	if err := t.commit(s, out); err != nil {
		return fmt.Errorf("netmap: %w", err)
	}
	return nil
}

// take checks that a piece belongs here and puts it to the others.
func (t *Table) take(m *pb.Map) error {
	if m.To == nil {
		return fmt.Errorf("%w: it does not say where it leads", ErrMalformed)
	}
	switch s := t.stage; {
	case m.Snapshot:
		t.stage = newStage(m) // also in the middle of another map
	case s == nil:
		if m.From == nil || !t.has || cursorOf(m.From) != t.at {
			return ErrOutOfStep
		}
		if f, to := t.at, cursorOf(m.To); to.epoch != f.epoch || to.hard < f.hard || to.boot == f.boot && to.soft < f.soft {
			return fmt.Errorf("%w: a delta leads back", ErrMalformed)
		}
		t.stage = newStage(m)
	case cursorOf(m.To) != s.to || cursorOf(m.From) != s.from:
		return fmt.Errorf("%w: a piece of another map came in between", ErrMalformed)
	}
	return t.collect(t.stage, m, false)
}

// collect reads one piece. Signatures are verified here, so that the work is spread over the pieces; verified says that they were.
func (t *Table) collect(s *stage, m *pb.Map, verified bool) (err error) {
	if m.Network != nil {
		if s.network, err = parseNetwork(m.Network); err != nil {
			return err
		}
	}
	if m.Self != nil {
		if s.self, err = t.parseSelf(m.Self); err != nil {
			return err
		}
	}
	for _, id := range m.Remove {
		s.remove[ident.Node(id)] = true
	}
	for _, p := range m.Upsert {
		if peekNode(p.Record) == t.cfg.Node {
			continue // many are told the same, and the node is one of them
		}
		e := t.examine(p, verified)
		if e.id == 0 {
			s.stray(PeerRefused, e.fault)
			continue
		}
		s.upsert[e.id] = e
		if s.bytes += e.size(); s.bytes > t.bounds.bytes || len(s.upsert) > t.bounds.peers {
			return ErrTooLarge
		}
	}
	for _, p := range m.Soft {
		s.soft[ident.Node(p.Node)] = parseSoft(p)
	}
	if len(s.soft) > t.bounds.peers || len(s.remove) > t.bounds.peers {
		return ErrTooLarge
	}
	if err := s.collectRelays(m); err != nil {
		return err
	}
	if err := s.collectRules(m); err != nil {
		return err
	}
	if err := s.collectTrust(m); err != nil {
		return err
	}
	return t.collectPlains(s, m)
}

// collectTrust reads what the tenant's authorities are worth.
func (s *stage) collectTrust(m *pb.Map) error {
	if m.Authorities == nil {
		return nil
	}
	a, err := control.ParseAuthorities(m.Authorities)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	s.trust = &a
	return nil
}

// collectRules puts the parts of the rules together.
func (s *stage) collectRules(m *pb.Map) error {
	for _, part := range m.Rules {
		if len(s.rules.Bytes)+len(part) > MaxRules {
			return ErrTooLarge
		}
		s.rules.Bytes = append(s.rules.Bytes, part...)
	}
	if s.rules.Name == 0 {
		s.rules.Name = m.RulesName
	}
	return nil
}

// commit applies a whole snapshot or delta, or nothing.
func (t *Table) commit(s *stage, out *Out) error {
	network, self := t.network, t.self
	if s.network != nil {
		network = *s.network
	}
	if s.self != nil {
		self = *s.self
	}
	if s.snapshot {
		if s.network == nil || s.self == nil {
			return fmt.Errorf("%w: a snapshot without network or self", ErrMalformed)
		}
		t.dropTheRest(s)
	}
	if err := fits(&network, &self); err != nil {
		return err
	}
	if err := t.bounded(s); err != nil {
		return err
	}
	if s.rules.Name != 0 && t.cfg.Rules != nil {
		if err := t.cfg.Rules(s.rules.Bytes); err != nil {
			return fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	var stray error
	if self.Routes, stray = control.ParseRoutes(self.told, network.Range4, network.Range6); stray != nil && s.self != nil {
		s.stray(RouteRefused, stray.Error())
	}
	otherBoot := t.has && s.to.boot != t.at.boot
	t.applyOwn(network, self, out)
	if s.rules.Name != 0 && s.rules.Name != t.rules.Name {
		t.rules = s.rules
		out.add(Event{Kind: RulesChanged})
	}
	if s.trust != nil && !s.trust.Equal(t.trust) {
		t.trust = *s.trust
		out.add(Event{Kind: TrustChanged})
	}
	t.applyPeers(s)
	t.applySoft(s, otherBoot)
	t.at, t.has = s.to, true
	t.settle(out)
	t.applyPlains(s, out)
	t.applyRelays(s, out)
	out.Events = append(out.Events, s.strays...)
	out.sort()
	return nil
}

// dropTheRest makes a snapshot remove every node and plain device that it does not name.
func (t *Table) dropTheRest(s *stage) {
	for id := range t.entries {
		if s.upsert[id] == nil {
			s.remove[id] = true
		}
	}
	for id := range t.devices {
		if s.devices[id] == nil {
			s.gone[id] = true
		}
	}
}

// bounded reports whether the table stays within its bounds.
func (t *Table) bounded(s *stage) error {
	n, bytes := len(t.entries), t.bytes
	for id := range s.remove {
		if e := t.entries[id]; e != nil {
			n, bytes = n-1, bytes-e.size()
		}
	}
	for id, e := range s.upsert {
		if old := t.entries[id]; old != nil && !s.remove[id] {
			n, bytes = n-1, bytes-old.size()
		}
		n, bytes = n+1, bytes+e.size()
	}
	plains := len(t.devices)
	for id := range s.gone {
		if t.devices[id] != nil {
			plains--
		}
	}
	for id := range s.devices {
		if t.devices[id] == nil || s.gone[id] {
			plains++
		}
	}
	if n > t.bounds.peers || bytes > t.bounds.bytes || plains > t.bounds.plains {
		return ErrTooLarge
	}
	return nil
}

// applyOwn changes what is the node's own.
func (t *Table) applyOwn(network Network, self Self, out *Out) {
	if !t.has || network != t.network {
		out.add(Event{Kind: NetworkChanged})
	}
	ranges := t.network.Range4 != network.Range4 || t.network.Range6 != network.Range6
	t.network = network
	if !t.has || !self.equal(t.self) {
		out.add(Event{Kind: SelfChanged})
		if t.has {
			t.stake(&t.self.Record, own, false)
		}
		t.self = self
		t.stake(&t.self.Record, own, true)
	}
	if ranges {
		for id, e := range t.entries {
			t.touch(id)
			t.place(e)
		}
	}
}

// applyPeers removes, then adds and replaces.
func (t *Table) applyPeers(s *stage) {
	for id := range s.remove {
		if e := t.entries[id]; e != nil && s.upsert[id] == nil {
			t.touch(id)
			t.unplace(e)
			delete(t.entries, id)
			t.left.leave(e)
			t.bytes -= e.size()
			t.sorted = false
		}
	}
	for id, e := range s.upsert {
		old := t.entries[id]
		if old == e {
			continue
		}
		t.touch(id)
		if old != nil {
			t.unplace(old)
			t.bytes -= old.size()
			e.soft = old.soft
		} else {
			t.sorted = false
		}
		t.entries[id] = e
		t.bytes += e.size()
		t.place(e)
	}
}

// applySoft changes soft state. What the controller does not speak of stays in a delta, is the default in a snapshot, and fades
// with the first map of another boot.
func (t *Table) applySoft(s *stage, otherBoot bool) {
	if s.snapshot || otherBoot {
		for id, e := range t.entries {
			switch {
			case otherBoot:
				t.setSoft(id, e.soft.faded())
			default:
				if _, told := s.soft[id]; !told {
					t.setSoft(id, Soft{})
				}
			}
		}
	}
	for id, soft := range s.soft {
		t.setSoft(id, soft)
	}
}

func (t *Table) setSoft(id ident.Node, s Soft) {
	if e := t.entries[id]; e != nil && !e.soft.equal(s) {
		t.touch(id)
		e.soft = s
	}
}
