package netmap

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Relays ranges over the relays that the node may use, in the order of identifiers. They come and go as a whole, with the event
// RelaysChanged; a slice in one is read only.
func (t *Table) Relays() iter.Seq[control.Relay] { return slices.Values(t.relays) }

// Relay returns the relay with an identifier; ok is false if the node may not use it.
func (t *Table) Relay(id ident.Relay) (r control.Relay, ok bool) {
	at, ok := slices.BinarySearchFunc(t.relays, id, func(r control.Relay, id ident.Relay) int { return cmp.Compare(r.ID, id) })
	if !ok {
		return control.Relay{}, false
	}
	return t.relays[at], true
}

// collectRelays reads what a piece says of relays. What is wrong with one does not hide the rest.
func (s *stage) collectRelays(m *pb.Map) error {
	if m.Relays == nil {
		return nil
	}
	if len(m.Relays.Relays) > control.MaxRelays {
		return fmt.Errorf("%w: %d relays, at most %d are allowed", ErrTooLarge, len(m.Relays.Relays), control.MaxRelays)
	}
	s.relays, s.newRelays = nil, true
	for _, p := range m.Relays.Relays {
		r, err := control.ParseRelay(p)
		if err != nil {
			s.stray(RelayRefused, err.Error())
			continue
		}
		s.relays = append(s.relays, r)
	}
	slices.SortStableFunc(s.relays, func(a, b control.Relay) int { return cmp.Compare(a.ID, b.ID) })
	s.relays = slices.CompactFunc(s.relays, func(a, b control.Relay) bool { return a.ID == b.ID })
	return nil
}

// applyRelays takes over the list, if there is one. A snapshot without a list says that there are none.
func (t *Table) applyRelays(s *stage, out *Out) {
	if !s.newRelays && !s.snapshot || slices.EqualFunc(t.relays, s.relays, control.Relay.Equal) {
		return
	}
	t.relays = s.relays
	out.add(Event{Kind: RelaysChanged})
}

func (t *Table) relaysMessage() *pb.Relays {
	if len(t.relays) == 0 {
		return nil
	}
	m := &pb.Relays{}
	for _, r := range t.relays {
		m.Relays = append(m.Relays, r.Message())
	}
	return m
}
