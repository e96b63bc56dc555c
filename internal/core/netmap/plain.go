package netmap

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// device is one plain device as the controller told it, used or not. It never changes.
type device struct {
	id    ident.Plain
	raw   []byte // the entry as it travels
	fault string // what is wrong with it by itself; "" if nothing is
	plain *control.Plain
	why   string // why it is left out; "": it is used
}

// used returns what a reader gets; nil if the device is left out.
func (d *device) used() *control.Plain {
	if d == nil || d.why != "" {
		return nil
	}
	return d.plain
}

// Plain returns the plain device with an identifier, or nil.
func (t *Table) Plain(id ident.Plain) *control.Plain { return t.devices[id].used() }

// Plains ranges over the plain devices that are used, in the order of identifiers. The table must not change meanwhile.
func (t *Table) Plains() iter.Seq[*control.Plain] {
	return func(yield func(*control.Plain) bool) {
		for _, id := range slices.Sorted(maps.Keys(t.devices)) {
			if p := t.Plain(id); p != nil && !yield(p) {
				return
			}
		}
	}
}

// RefusedPlains ranges over the plain devices that are left out, and why, in the order of identifiers.
func (t *Table) RefusedPlains() iter.Seq2[ident.Plain, string] {
	return func(yield func(ident.Plain, string) bool) {
		for _, id := range slices.Sorted(maps.Keys(t.devices)) {
			if d := t.devices[id]; d.why != "" && !yield(id, d.why) {
				return
			}
		}
	}
}

// collectPlains reads what a piece says of plain devices.
func (t *Table) collectPlains(s *stage, m *pb.Map) error {
	for _, id := range m.RemovePlain {
		s.gone[ident.Plain(id)] = true
	}
	for _, p := range m.Plain {
		d := t.examinePlain(p)
		switch {
		case d.raw == nil:
			s.stray(PlainRefused, d.fault)
			s.gone[d.id] = true
			delete(s.devices, d.id)
		default:
			s.devices[d.id] = d
		}
	}
	if len(s.devices) > t.bounds.plains || len(s.gone) > t.bounds.plains {
		return ErrTooLarge
	}
	return nil
}

// examinePlain makes a device of what the controller tells. One without bytes cannot be kept.
func (t *Table) examinePlain(m *pb.Plain) *device {
	d := &device{id: ident.Plain(m.GetId())}
	if proto.Size(m) > control.MaxPlain {
		d.fault = "its entry is too long"
		return d
	}
	p, err := control.ParsePlain(m)
	if err != nil {
		d.fault = err.Error()
	} else {
		d.plain = &p
	}
	if d.id.IsZero() {
		return d
	}
	d.raw, _ = proto.MarshalOptions{Deterministic: true}.Marshal(m) // fails on invalid UTF-8 only, which is not a label
	return d
}

// applyPlains decides about all plain devices anew when something has changed that they depend on: they are few.
func (t *Table) applyPlains(s *stage, out *Out) {
	if len(t.devices)+len(s.devices) == 0 || !s.hard() {
		return
	}
	was := t.devices
	t.devices = make(map[ident.Plain]*device, len(was)+len(s.devices))
	for id, d := range was {
		if !s.gone[id] {
			t.devices[id] = d
		}
	}
	for id, d := range s.devices {
		if old := was[id]; old == nil || !bytes.Equal(old.raw, d.raw) {
			t.devices[id] = d
		} else {
			t.devices[id] = old // the pointer that readers have stays
		}
	}
	t.decidePlains()
	for id, d := range was {
		tellPlain(id, d, t.devices[id], out)
	}
	for id, d := range t.devices {
		if was[id] == nil {
			tellPlain(id, nil, d, out)
		}
	}
}

// decidePlains uses every device that is sound and claims nothing that belongs to a node, or to a device with a lower identifier.
func (t *Table) decidePlains() {
	n := len(t.devices)
	c := taken{make(map[netip.Addr]ident.Plain, 2*n), make(map[string]ident.Plain, n), make(map[key.WGPublic]ident.Plain, n)}
	for _, id := range slices.Sorted(maps.Keys(t.devices)) {
		d := t.devices[id]
		why := d.fault
		if why == "" {
			why = t.misfit(d.plain)
		}
		if why == "" {
			why = c.claim(d.plain)
		}
		if why != d.why {
			n := *d
			n.why = why
			t.devices[id] = &n
		}
	}
}

// misfit says what is wrong with a device in this network and among its nodes.
func (t *Table) misfit(p *control.Plain) string {
	n, e := &t.network, p.Endpoint.Addr()
	for _, h := range p.Hosts() {
		if a := h.Addr(); !n.Range4.Contains(a) && !n.Range6.Contains(a) {
			return fmt.Sprintf("its address %s lies outside of the network's ranges", a)
		} else if id, taken := t.addresses.owner(a); taken {
			return fmt.Sprintf("its address %s belongs to %s", a, whose(id))
		}
	}
	if n.Range4.Contains(e) || n.Range6.Contains(e) {
		return fmt.Sprintf("its endpoint %s lies inside of the network", p.Endpoint)
	}
	if id, taken := t.names.owner(p.Name); taken {
		return fmt.Sprintf("its name %s belongs to %s", p.Name, whose(id))
	}
	if id, taken := t.wg.owner(p.WG); taken {
		return "its WireGuard key belongs to " + whose(id)
	}
	return ""
}

// taken is what plain devices have claimed.
type taken struct {
	addresses map[netip.Addr]ident.Plain
	names     map[string]ident.Plain
	keys      map[key.WGPublic]ident.Plain
}

// claim gives a device all that it asks for, or says what another has.
func (c taken) claim(p *control.Plain) string {
	hosts := p.Hosts()
	for _, h := range hosts {
		if id, taken := c.addresses[h.Addr()]; taken {
			return fmt.Sprintf("its address %s belongs to %s", h.Addr(), id)
		}
	}
	if id, taken := c.names[p.Name]; taken {
		return fmt.Sprintf("its name %s belongs to %s", p.Name, id)
	}
	if id, taken := c.keys[p.WG]; taken {
		return "its WireGuard key belongs to " + id.String()
	}
	for _, h := range hosts {
		c.addresses[h.Addr()] = p.ID
	}
	c.names[p.Name], c.keys[p.WG] = p.ID, p.ID
	return ""
}

func tellPlain(id ident.Plain, was, now *device, out *Out) {
	old, p := was.used(), now.used()
	switch {
	case old == nil && p != nil:
		out.add(Event{Kind: PlainAdded, ID: id, Plain: p})
	case old != nil && p == nil:
		out.add(Event{Kind: PlainRemoved, ID: id, WasPlain: old})
	case old != nil && old != p:
		out.add(Event{Kind: PlainChanged, ID: id, Plain: p, WasPlain: old})
	}
	if now != nil && now.why != "" && (was == nil || was.why != now.why) {
		out.add(Event{Kind: PlainRefused, ID: id, Why: now.why})
	}
}
