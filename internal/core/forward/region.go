package forward

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// MaxNeighbours bounds the relays of a region that frames are exchanged with.
const MaxNeighbours = 32

// Times of a neighbour.
const (
	bindEvery  = 250 * time.Millisecond // between Binds without an answer
	bindTries  = 8
	pulseUsed  = 500 * time.Millisecond // between signs of life while channels lead there
	pulseIdle  = 10 * time.Second
	pulseEvery = 400 * time.Millisecond // between questions without an answer
	pulseTries = 3
	visitLeast = 500 * time.Millisecond // between registrations, doubling
	visitMost  = 30 * time.Second
)

// region is what the owner knows of the other relays of the region.
type region struct {
	all         [MaxNeighbours]neighbour
	transaction uint64 // the last that was used for a question to any of them

	far     map[uint32]far      // channels that cross the region, by slot
	abroad  map[crossing]uint32 // slots of those that lead to a neighbour
	transit map[transit]uint32  // slots of those that a neighbour has opened

	asks   map[uint64]*ask     // by transaction
	asking map[crossing]uint64 // transactions of Asks
	queue  []uint64            // transactions in the order in which they are due; some may be over
	held   int                 // payloads that all of them hold

	searches Pace // for nodes that are not here, of all clients
}

func newRegion() region {
	return region{far: map[uint32]far{}, abroad: map[crossing]uint32{}, transit: map[transit]uint32{}, asks: map[uint64]*ask{}, asking: map[crossing]uint64{}}
}

// far is what a channel that crosses the region has besides a lane.
type far struct {
	node  ident.Node   // who receives, if it leads to a neighbour; who sends, if it comes from one
	there relay.Number // of the neighbour's channel that it leads to
}

type crossing struct {
	from uint32 // client's slot
	to   ident.Node
}

type transit struct {
	from, to uint32 // clients' slots; from is the neighbour's
	sender   ident.Node
}

func (r *region) next() uint64 {
	r.transaction++
	return r.transaction
}

// up are the neighbours that frames can go to, one bit each.
func (r *region) up() (set uint32) {
	for i := range r.all {
		if r.all[i].bound {
			set |= 1 << i
		}
	}
	return set
}

// neighbour is another relay of the region, as we are its client. As it is ours, it is a client without tenant.
type neighbour struct {
	id       ident.Relay // zero: the slot is free
	slot     uint32
	to       uint32                  // first of the lanes that lead there, as slot + 1
	channels map[relay.Number]uint32 // their slots by the numbers of its channels
	visiting bool
	visits   int       // in vain, in a row
	due      mono.Time // when the next visit or question is; while the link is well see pulse
	link
}

// link is our registration at a neighbour.
type link struct {
	number relay.Number // zero: there is none
	secret relay.Secret
	at     Place
	bound  bool
	cookie [16]byte
	asked  [2]uint64 // transactions of the last questions, the newest first
	tries  int       // questions without an answer
	heard  mono.Time // the last answer
}

// SetRegion says which relays frames are exchanged with. More than MaxNeighbours are not.
func (m *Machine) SetRegion(now mono.Time, ids []ident.Relay, out *Out) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	ids = ids[:min(len(ids), MaxNeighbours)]
	r := &m.region
	for i := range r.all {
		if n := &r.all[i]; n.id != 0 && !slices.Contains(ids, n.id) {
			n.say(relay.Control{Kind: relay.Bye}, r.next(), out)
			n.id = 0
			m.down(now, n, out)
		}
	}
	m.evict(func(c *client) bool { return c.tenant == noTenant && !slices.Contains(ids, ident.Relay(c.node)) }, out)
	for _, id := range ids {
		if id != 0 && m.neighbour(id) == nil {
			i := slices.IndexFunc(r.all[:], func(n neighbour) bool { return n.id == 0 })
			r.all[i] = neighbour{id: id, slot: uint32(i), channels: map[relay.Number]uint32{}, due: now}
		}
	}
	m.tickRegion(now, out)
}

// neighbour finds one by its name; nil: it is none.
func (m *Machine) neighbour(id ident.Relay) *neighbour {
	for i := range m.region.all {
		if n := &m.region.all[i]; n.id == id && id != 0 {
			return n
		}
	}
	return nil
}

// Visited answers a visit: we have registered at a neighbour, which takes UDP at an address.
func (m *Machine) Visited(now mono.Time, id ident.Relay, w *relay.Welcome, at netip.AddrPort, out *Out) {
	n := m.neighbour(id)
	if n == nil || !n.visiting {
		return
	}
	if w.Reason != relay.NoReason || w.Client == 0 || !at.IsValid() {
		m.Unvisited(now, id)
		return
	}
	n.visiting, n.due = false, now
	n.link = link{number: w.Client, secret: w.Secret, at: At(at)}
	m.nextOut(n, out)
	m.tend(now, n, out)
}

// Unvisited answers a visit: the neighbour could not be reached, or does not want us.
func (m *Machine) Unvisited(now mono.Time, id ident.Relay) {
	if n := m.neighbour(id); n != nil && n.visiting {
		n.visiting = false
		n.later(now)
	}
}

// later says when to visit again.
func (n *neighbour) later(now mono.Time) {
	n.due = now.Add(min(visitLeast<<min(n.visits, 10), visitMost))
	n.visits++
}

// pulse is when the neighbour has to do something.
func (n *neighbour) pulse() mono.Time {
	switch {
	case n.id == 0 || n.visiting:
		return mono.Never
	case !n.bound || n.tries > 0:
		return n.due
	case n.to != 0:
		return n.heard.Add(pulseUsed)
	}
	return n.heard.Add(pulseIdle)
}

func (m *Machine) regionDeadline() (d mono.Time) {
	for i := range m.region.all {
		d = mono.Earlier(d, m.region.all[i].pulse())
	}
	if a := m.region.first(); a != nil {
		d = mono.Earlier(d, a.due)
	}
	return d
}

func (m *Machine) tickRegion(now mono.Time, out *Out) {
	for i := range m.region.all {
		m.tend(now, &m.region.all[i], out)
	}
	m.tickAsks(now, out)
}

// tend visits a neighbour, binds us there, and asks for signs of life.
func (m *Machine) tend(now mono.Time, n *neighbour, out *Out) {
	if at := n.pulse(); at == mono.Never || now < at {
		return
	}
	switch {
	case n.number == 0:
		n.visiting = true
		out.Visits = append(out.Visits, n.id)
	case n.bound && n.tries >= pulseTries, n.tries >= bindTries:
		m.down(now, n, out)
	case n.bound:
		n.ask(relay.Control{Kind: relay.Keepalive}, m.region.next(), out)
		n.tries, n.due = n.tries+1, now.Add(pulseEvery)
	default:
		n.ask(relay.Control{Kind: relay.Bind, Cookie: n.cookie}, m.region.next(), out)
		n.tries, n.due = n.tries+1, now.Add(bindEvery)
	}
}

// down ends a link. What led there is looked for elsewhere.
func (m *Machine) down(now mono.Time, n *neighbour, out *Out) {
	n.link = link{}
	n.later(now)
	m.nextOut(n, out)
	for _, s := range m.strays(n.to) {
		m.lost(m.lanes.at(s.slot), out)
		m.seek(now, s, out)
	}
	for n.to != 0 { // beyond what is looked for at once
		m.lost(m.lanes.at(n.to-1), out)
	}
}

// say sends a frame to a neighbour, if we are registered there.
func (n *neighbour) say(q relay.Control, transaction uint64, out *Out) {
	if n.number != 0 {
		q.Client, q.Transaction = n.number, transaction
		out.control(n.at, [16]byte{}, &q, &n.secret)
	}
}

// ask is say for what the link itself is asked.
func (n *neighbour) ask(q relay.Control, transaction uint64, out *Out) {
	n.asked = [2]uint64{transaction, n.asked[0]}
	n.say(q, transaction, out)
}

// nextOut publishes a neighbour.
func (m *Machine) nextOut(n *neighbour, out *Out) {
	pub := NeighbourAt{Slot: n.slot}
	if n.number != 0 {
		pub.Seat, pub.Key = Seat{Number: n.number, Tenant: noTenant, Place: n.at}, relay.LinkKey(&n.secret)
	}
	out.Neighbours = append(out.Neighbours, pub)
}

// Answer takes what came from a place of a neighbour's: an answer to a question of ours, or a notice.
func (m *Machine) Answer(now mono.Time, src Place, frame []byte, out *Out) Drop {
	n := m.neighbourAt(&src)
	if n == nil {
		return DropElsewhere
	}
	if !relay.IsControl(frame) {
		return m.noticed(now, n, frame, out)
	}
	if relay.NumberOf(frame) != n.number {
		return DropUnknown
	}
	q, ok := relay.ReadControl(frame, &n.secret)
	if !ok {
		return DropForged
	}
	switch mine := slices.Contains(n.asked[:], q.Transaction); {
	case q.Kind == relay.Opened:
		m.opened(now, n, &q, out)
	case q.Kind == relay.Refused:
		m.refused(now, n, &q, out)
	case !mine:
		return DropReplayed
	case q.Kind == relay.Cookie && !n.bound && n.cookie != q.Cookie:
		n.cookie, n.due = q.Cookie, now
		m.tend(now, n, out)
	case q.Kind == relay.Bound && !n.bound:
		n.bound, n.tries, n.visits, n.heard = true, 0, 0, now
	case q.Kind == relay.Alive:
		n.tries, n.heard = 0, now
	}
	return Sent
}

func (m *Machine) neighbourAt(src *Place) *neighbour {
	for i := range m.region.all {
		if n := &m.region.all[i]; n.number != 0 && n.at == *src {
			return n
		}
	}
	return nil
}

// noticed takes a notice. Unknown can be forged: it is believed if it echoes a question of ours, else it is a reason to ask.
func (m *Machine) noticed(now mono.Time, n *neighbour, frame []byte, out *Out) Drop {
	x, ok := relay.ReadNotice(frame, &n.secret)
	if !ok {
		return DropForged
	}
	slot, leads := n.channels[x.Number]
	switch {
	case x.Kind == relay.Unknown && x.Number == n.number && (slices.Contains(n.asked[:], x.Echo) || m.region.asks[x.Echo] != nil):
		m.down(now, n, out)
	case leads:
		s := m.stray(slot)
		if x.Kind == relay.Closed {
			m.lost(m.lanes.at(slot), out)
		}
		m.seek(now, s, out)
	default:
		return DropUnknown
	}
	return Sent
}

// Neighbour is how a relay of the region stands, for people.
type Neighbour struct {
	ID       ident.Relay
	Up       bool // frames can go there
	Channels int  // that lead there
	Transit  int  // that it has opened here
}

// Neighbours calls f for each.
func (m *Machine) Neighbours(f func(Neighbour)) {
	for i := range m.region.all {
		n := &m.region.all[i]
		if n.id == 0 {
			continue
		}
		told := Neighbour{ID: n.id, Up: n.bound, Channels: len(n.channels)}
		if c := m.here(noTenant, ident.Node(n.id)); c != nil {
			told.Transit = int(c.channels)
		}
		f(told)
	}
}
