package forward

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// country is some relays of a region without sockets. What one sends to another arrives at once, unless the way is cut.
type country struct {
	*testing.T
	now    mono.Time
	relays []*station
	cut    map[[2]int]bool // nothing passes from one to another
	lose   func(frame []byte) bool
	hops   int // how often a Data frame went from relay to relay
}

// station is one of them: a world with a place.
type station struct {
	*world
	c      *country
	i      int
	id     ident.Relay
	at     Place
	off    bool               // it is dead
	inbox  map[Place][][]byte // what its clients got, by their places
	visits int
}

func (c *country) world(cfg Config, i int) *world {
	return &world{fails: c, now: c.now, m: New(cfg, rand.NewChaCha8([32]byte{byte(i + 1)})), table: NewTable(cfg), book: NewBook(Rate{}, nil)}
}

// region makes so many relays, who have found each other.
func newRegionOf(t *testing.T, n int, cfg Config) *country {
	c := &country{T: t, now: mono.Time(time.Hour), cut: map[[2]int]bool{}}
	for i := range n {
		c.relays = append(c.relays, &station{world: c.world(cfg, i), c: c, i: i, id: ident.Relay(1000 + i), at: place(200 + i), inbox: map[Place][][]byte{}})
	}
	for _, s := range c.relays {
		s.knows()
	}
	c.run(2 * time.Second)
	return c
}

// knows tells a relay of all others.
func (s *station) knows(but ...int) {
	var ids []ident.Relay
	for _, o := range s.c.relays {
		skip := o == s
		for _, b := range but {
			skip = skip || b == o.i
		}
		if !skip {
			ids = append(ids, o.id)
		}
	}
	s.step(func(out *Out) { s.m.SetRegion(s.now, ids, out) })
}

// restart is a relay that has forgotten all.
func (s *station) restart() {
	s.world = s.c.world(Config{}, s.i+50)
	s.off = false
	s.knows()
}

// step lets the machine do something, and delivers what it says.
func (s *station) step(do func(out *Out)) {
	s.world.now = s.c.now
	s.do(do)
	var frames []Transmit
	for _, t := range s.out.Transmits {
		frames = append(frames, Transmit{To: t.To, Data: append([]byte(nil), t.Data...)})
	}
	visits := append([]ident.Relay(nil), s.out.Visits...)
	for _, id := range visits {
		s.visit(id)
	}
	for _, t := range frames {
		s.c.carry(s, t)
	}
}

func (s *station) visit(id ident.Relay) {
	s.visits++
	o := s.c.relays[id-1000]
	var w relay.Welcome
	if s.c.passes(s, o) && s.c.passes(o, s) {
		o.world.now = s.c.now
		o.step(func(out *Out) { w = o.m.RegisterNeighbour(o.now, s.id, mono.Never, 1, out) })
	}
	s.step(func(out *Out) {
		if w.Client == 0 {
			s.m.Unvisited(s.now, id)
		} else {
			s.m.Visited(s.now, id, &w, o.at.AddrPort(), out)
		}
	})
}

func (c *country) passes(from, to *station) bool {
	return !c.cut[[2]int{from.i, to.i}] && !from.off && !to.off
}

// carry brings a frame from a relay to where it is sent.
func (c *country) carry(from *station, t Transmit) {
	for _, o := range c.relays {
		if o.at == t.To {
			if c.passes(from, o) && (c.lose == nil || !c.lose(t.Data)) {
				o.arrive(from.at, t.Data)
			}
			return
		}
	}
	if !from.off {
		from.inbox[t.To] = append(from.inbox[t.To], t.Data)
	}
}

// arrive does what a worker does.
func (s *station) arrive(src Place, frame []byte) (d Drop) {
	s.world.now = s.c.now
	kind, _ := relay.KindOf(frame)
	if kind == relay.Data {
		return s.data(src, frame)
	}
	if relay.IsAnswer(kind) && s.table.Neighbour(&src) {
		if d = s.book.Answer(s.now); d == Sent {
			s.step(func(out *Out) { d = s.m.Answer(s.now, src, frame, out) })
		}
		return d
	}
	_, seat := s.table.SeatOf(relay.NumberOf(frame))
	if d = s.book.Control(s.now, &src, frame, seat); d == DropUnknown {
		s.unknown(src, frame)
	} else if d == Sent {
		s.step(func(out *Out) { d = s.m.Control(s.now, src, [16]byte{}, frame, out) })
	}
	return d
}

func (s *station) data(src Place, frame []byte) Drop {
	var l *Lane
	if l = &noLane; len(frame) >= relay.HeaderSize {
		l = s.table.Lane(relay.NumberOf(frame))
	}
	to := s.table.Seat(l.ToSlot)
	d := s.book.Decide(s.now, &src, frame, l, s.table.Seat(l.FromSlot), to)
	switch d {
	case Sent:
		s.table.Readdress(frame, l, to)
		if to.Tenant == noTenant {
			s.c.hops++
		}
		s.c.carry(s, Transmit{To: to.Place, Data: frame})
	case DropUnknown:
		s.unknown(src, frame)
	case DropGone:
		s.step(func(out *Out) { s.m.Fault(src, frame[:relay.MinData], out) })
	}
	return d
}

func (s *station) unknown(src Place, frame []byte) {
	if n, ok := relay.NoticeOf(frame, relay.Unknown, relay.NoReason); ok {
		s.c.carry(s, Transmit{To: src, Data: n.Append(nil, nil)})
	}
}

// run lets time pass.
func (c *country) run(d time.Duration) {
	for end := c.now.Add(d); ; {
		at := end
		for _, s := range c.relays {
			if dl := s.m.Deadline(); !s.off && dl != mono.Never && dl < at {
				at = dl
			}
		}
		c.now = max(c.now, at)
		for _, s := range c.relays {
			if !s.off {
				s.step(func(out *Out) { s.m.Tick(c.now, out) })
			}
		}
		if at >= end {
			return
		}
		c.now++
	}
}

// joins registers and binds a node at a relay.
func (s *station) joins(tenant ident.Tenant, node ident.Node, at Place) *caller {
	s.Helper()
	s.world.now = s.c.now
	n := s.register(tenant, node)
	s.bind(n, at)
	return n
}

// opens opens a channel, and returns the answer, which may take time.
func (s *station) opens(n *caller, to ident.Node, claim netip.Addr) relay.Control {
	s.Helper()
	n.transaction++
	q := relay.Control{Kind: relay.Open, Client: n.Client, Transaction: n.transaction, Node: to, Claim: claim}
	s.inbox[n.at] = nil
	s.arrive(n.at, q.Append(nil, &n.Secret))
	for range 20 {
		for _, f := range s.inbox[n.at] {
			if a, ok := relay.ReadControl(f, &n.Secret); ok && a.Transaction == n.transaction {
				return a
			}
		}
		s.c.run(50 * time.Millisecond)
	}
	s.Fatalf("no answer to Open")
	return relay.Control{}
}

func (s *station) channelTo(n *caller, to ident.Node) relay.Number {
	s.Helper()
	a := s.opens(n, to, netip.Addr{})
	if a.Kind != relay.Opened || a.Channel == 0 {
		s.Fatalf("not opened: %v", a.Reason)
	}
	return a.Channel
}

// reaches reports whether a frame on a channel of a's at s comes to b at o, as a's.
func (s *station) reaches(a *caller, ch relay.Number, o *station, b *caller) bool {
	f := make([]byte, 100)
	for i := range f {
		f[i] = byte(i)
	}
	relay.PutData(f, ch, relay.ChannelKey(&a.Secret, ch))
	o.inbox[b.at] = nil
	s.arrive(a.at, f)
	for _, got := range o.inbox[b.at] {
		to, tag, p, err := relay.ReadDeliver(got)
		if err == nil && to == b.Client && tag == relay.TagOf(&b.Secret, a.node) && len(p) == 84 && p[83] == 99 {
			return true
		}
	}
	return false
}

// told reports whether a client was told that a channel is closed.
func (s *station) told(n *caller, ch relay.Number) bool {
	for _, f := range s.inbox[n.at] {
		if x, ok := relay.ReadNotice(f, &n.Secret); ok && x.Kind == relay.Closed && x.Number == ch {
			return true
		}
	}
	return false
}

func pairOf(t *testing.T, n int) (c *country, x, y *station, a, b *caller) {
	c = newRegionOf(t, n, Config{})
	x, y = c.relays[0], c.relays[1]
	return c, x, y, x.joins(1, 100, place(1)), y.joins(1, 200, place(2))
}

func TestAFrameCrossesTheRegionOnce(t *testing.T) {
	c, x, y, a, b := pairOf(t, 3)
	ch, back := x.channelTo(a, b.node), y.channelTo(b, a.node)
	if same := x.channelTo(a, b.node); same != ch {
		t.Error("a second Open makes a second channel")
	}
	if !x.reaches(a, ch, y, b) || !y.reaches(b, back, x, a) || c.hops != 2 {
		t.Error("frames do not come, or by", c.hops, "hops")
	}
	if m := x.book.Metered(0); m.Bytes != 100 || m.Packets != 1 {
		t.Errorf("the sender's relay metered %+v", m)
	}
	for _, s := range []*station{x, y} {
		went, came := s.book.Region()
		if m := s.book.Metered(0); m.Packets != 1 || went.Packets != 1 || came.Packets != 1 || came.Bytes != 100 {
			t.Errorf("metered %+v, %+v went and %+v came", m, went, came)
		}
	}
	x.m.Neighbours(func(n Neighbour) {
		if want := btoi(n.ID == y.id); !n.Up || n.Channels != want || n.Transit != want {
			t.Errorf("%+v", n)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestNobodyIsFoundInAnotherTenantOrNowhere(t *testing.T) {
	_, x, y, a, b := pairOf(t, 2)
	y.joins(2, 300, place(3))
	for _, node := range []ident.Node{300, 400, a.node} {
		if got := x.opens(a, node, netip.Addr{}); got.Kind != relay.Refused || got.Reason != relay.Absent {
			t.Errorf("%v: %+v", node, got)
		}
	}
	y.register(1, 500) // registered, but not bound
	if got := x.opens(a, 500, netip.Addr{}); got.Kind != relay.Refused {
		t.Errorf("%+v", got)
	}
	_ = b
}

func TestANodeThatMovesItsHomeIsFollowed(t *testing.T) {
	c, x, y, a, b := pairOf(t, 3)
	z := c.relays[2]
	ch := x.channelTo(a, b.node)
	moved := z.joins(1, b.node, place(3))
	if !x.reaches(a, ch, y, b) {
		t.Fatal("what is on its way to the old home is lost before the node has left it")
	}
	y.arrive(b.at, (&relay.Control{Kind: relay.Bye, Client: b.Client, Transaction: 100}).Append(nil, &b.Secret))
	if !x.reaches(a, ch, z, moved) {
		t.Error("the channel does not lead to the new home")
	}
	here := x.joins(1, b.node, place(4)) // and then to the sender's own
	z.arrive(moved.at, (&relay.Control{Kind: relay.Bye, Client: moved.Client, Transaction: 100}).Append(nil, &moved.Secret))
	if !x.reaches(a, ch, x, here) {
		t.Error("the channel does not lead here")
	}
	x.arrive(here.at, (&relay.Control{Kind: relay.Bye, Client: here.Client, Transaction: 100}).Append(nil, &here.Secret))
	again := y.joins(1, b.node, place(5)) // and away
	x.reaches(a, ch, y, again)
	c.run(time.Second)
	if ch = x.channelTo(a, b.node); !x.reaches(a, ch, y, again) {
		t.Error("the channel does not lead away again")
	}
}

func TestWhatIsWithADeadNeighbourIsFoundElsewhere(t *testing.T) {
	c, x, y, a, b := pairOf(t, 3)
	z := c.relays[2]
	standby := z.joins(1, b.node, place(3))
	c.cut[[2]int{2, 0}] = true // y answers first
	ch := x.channelTo(a, b.node)
	delete(c.cut, [2]int{2, 0})
	if !x.reaches(a, ch, y, b) {
		t.Fatal("not by y")
	}
	y.off = true
	died := c.now
	for !x.reaches(a, ch, z, standby) {
		if c.now.Sub(died) > 3*time.Second {
			t.Fatal("the channel hangs on a dead relay")
		}
		c.run(50 * time.Millisecond)
	}
	if took := c.now.Sub(died); took > 2*time.Second {
		t.Error("found elsewhere after", took)
	}
}

func TestWithoutAnotherWayTheSenderIsTold(t *testing.T) {
	c, x, y, a, b := pairOf(t, 2)
	ch := x.channelTo(a, b.node)
	y.off = true
	c.run(2 * time.Second)
	x.inbox[a.at] = nil
	x.reaches(a, ch, y, b)
	if !x.told(a, ch) {
		t.Error("it goes on sending to a dead relay")
	}
	if got := x.opens(a, b.node, netip.Addr{}); got.Reason != relay.Absent {
		t.Errorf("%+v", got)
	}
	y.off = false
	y.restart()
	c.run(3 * time.Second)
	b = y.joins(1, b.node, place(2))
	if ch = x.channelTo(a, b.node); !x.reaches(a, ch, y, b) {
		t.Error("not found at the relay that came back")
	}
}

func TestANeighbourThatRestartsIsNoticedAtOnce(t *testing.T) {
	c, x, y, a, b := pairOf(t, 2)
	ch := x.channelTo(a, b.node)
	y.restart()
	x.reaches(a, ch, y, b)
	c.run(time.Second)
	b = y.joins(1, b.node, place(2))
	if ch = x.channelTo(a, b.node); !x.reaches(a, ch, y, b) {
		t.Error("the link is not made anew")
	}
}

func TestLostQuestionsAreRepeated(t *testing.T) {
	c, x, y, a, b := pairOf(t, 2)
	for _, kind := range []relay.Kind{relay.Ask, relay.Opened} {
		lost := 0
		c.lose = func(f []byte) bool {
			if k, _ := relay.KindOf(f); k == kind && lost < 2 {
				lost++
				return true
			}
			return false
		}
		ch := x.channelTo(a, b.node)
		if lost != 2 || !x.reaches(a, ch, y, b) {
			t.Error(kind, "lost", lost)
		}
		a = x.joins(1, 101+ident.Node(kind), place(10+int(kind)))
	}
}

func TestTheFirstAnswerWinsAndOthersAreGivenBack(t *testing.T) {
	c, x, y, a, b := pairOf(t, 3)
	z := c.relays[2]
	z.joins(1, b.node, place(3))
	ch := x.channelTo(a, b.node)
	c.run(time.Second)
	if n := y.transits(x) + z.transits(x); n != 1 {
		t.Error(n, "channels at the neighbours")
	}
	x.arrive(a.at, (&relay.Control{Kind: relay.Close, Client: a.Client, Transaction: 100, Channel: ch}).Append(nil, &a.Secret))
	if n := y.transits(x) + z.transits(x); n != 0 || x.m.Channels() != x.transits(y)+x.transits(z) {
		t.Error(n, "channels are left of one that was closed")
	}
}

// transits is how many channels another relay has opened here.
func (s *station) transits(o *station) (n int) {
	s.m.Neighbours(func(x Neighbour) {
		if x.ID == o.id {
			n = x.Transit
		}
	})
	return n
}

func TestANeighbourConfirmsAnAddress(t *testing.T) {
	_, x, y, a, b := pairOf(t, 2)
	there := b.at.AddrPort().Addr()
	ch := x.channelTo(a, b.node)
	if got := x.opens(a, b.node, there); got.Kind != relay.Opened || !got.There || got.Channel != ch {
		t.Errorf("%+v", got)
	}
	if got := x.opens(a, b.node, there.Next()); got.Kind != relay.Opened || got.There || got.Channel != ch {
		t.Errorf("%+v", got)
	}
	y.arrive(b.at, (&relay.Control{Kind: relay.Bye, Client: b.Client, Transaction: 100}).Append(nil, &b.Secret))
	if got := x.opens(a, b.node, there); got.Kind != relay.Refused {
		t.Errorf("who has left: %+v", got)
	}
}

func TestWhoIsNotOfTheRegionIsNoNeighbour(t *testing.T) {
	c, x, y, a, b := pairOf(t, 2)
	ch := x.channelTo(a, b.node)
	y.step(func(out *Out) { y.m.SetRegion(y.now, nil, out) })
	if x.reaches(a, ch, y, b) || y.m.guests != 0 {
		t.Error("who is no neighbour any more sends on")
	}
	var w relay.Welcome
	y.step(func(out *Out) { w = y.m.RegisterNeighbour(y.now, x.id, mono.Never, 1, out) })
	if w.Reason != relay.NotPermitted {
		t.Error("registered:", w.Reason)
	}
	before := x.visits
	c.run(10 * time.Minute)
	if n := x.visits - before; n > 40 {
		t.Error(n, "visits in ten minutes")
	}
}

func TestAStrangerDoesNotSpeakForANeighbour(t *testing.T) {
	_, x, y, a, b := pairOf(t, 2)
	ch := x.channelTo(a, b.node)
	n := x.m.neighbour(y.id)
	there := x.m.region.far[x.m.lane(ch).slot].there
	var wrong relay.Secret
	for _, q := range []relay.Control{{Kind: relay.Refused, Reason: relay.Gone}, {Kind: relay.Opened, Channel: 5}, {Kind: relay.Cookie}, {Kind: relay.Alive}} {
		q.Client, q.Transaction = n.number, n.asked[0]
		if d := x.arrive(y.at, q.Append(nil, &wrong)); d != DropForged {
			t.Error(q.Kind, d)
		}
	}
	closed := relay.Notice{Kind: relay.Closed, Number: there}
	if d := x.arrive(y.at, closed.Append(nil, &wrong)); d != DropForged {
		t.Error("Closed", d)
	}
	x.arrive(y.at, (&relay.Notice{Kind: relay.Unknown, Number: there}).Append(nil, nil)) // anybody can say this
	x.arrive(y.at, (&relay.Notice{Kind: relay.Unknown, Number: n.number, Echo: 5}).Append(nil, nil))
	if !x.reaches(a, ch, y, b) {
		t.Error("a stranger has closed a channel")
	}
	f := make([]byte, 100)
	relay.PutData(f, there, relay.LinkKey(&wrong))
	if d := y.arrive(x.at, f); d != DropForged {
		t.Error("a frame without the link's key:", d)
	}
	if d := y.arrive(place(77), f); d != DropElsewhere {
		t.Error("from elsewhere:", d)
	}
}

func TestANodeAsksNothingThatOnlyRelaysAsk(t *testing.T) {
	_, x, _, a, _ := pairOf(t, 2)
	for _, k := range []relay.Kind{relay.Ask, relay.See} {
		a.transaction++
		q := relay.Control{Kind: k, Client: a.Client, Transaction: a.transaction, Tenant: 1, From: 5, Node: 200}
		if d := x.arrive(a.at, q.Append(nil, &a.Secret)); d != DropMalformed {
			t.Error(k, d)
		}
	}
}

func TestANeighbourAtItsBoundBeginsAnew(t *testing.T) {
	c := newRegionOf(t, 2, Config{Transit: 3})
	x, y := c.relays[0], c.relays[1]
	b := y.joins(1, 200, place(2))
	var all []*caller
	var chs []relay.Number
	for i := range 4 {
		a := x.joins(1, ident.Node(100+i), place(10+i))
		all, chs = append(all, a), append(chs, x.channelTo(a, b.node))
	}
	for i, a := range all[1:] {
		for range 2 { // the first one may find out that its channel is no more
			if x.reaches(a, chs[i+1], y, b) {
				break
			}
		}
	}
	if n := y.transits(x); n > 3 {
		t.Error(n, "channels")
	}
	if !x.reaches(all[3], chs[3], y, b) {
		t.Error("the last one does not reach")
	}
}

func TestALotOfSearchesAreBounded(t *testing.T) {
	c, x, _, a, _ := pairOf(t, 2)
	c.relays[1].off = true
	for i := range 10_000 {
		a.transaction++
		x.arrive(a.at, (&relay.Control{Kind: relay.Open, Client: a.Client, Transaction: a.transaction, Node: ident.Node(5000 + i)}).Append(nil, &a.Secret))
	}
	if n := len(x.m.region.asks); n > searchRate+2 {
		t.Error(n, "searches of one client")
	}
	for i := range 40 { // of many together, too
		b := x.joins(1, ident.Node(20_000+i), place(20+i))
		for j := range searchRate {
			b.transaction++
			x.arrive(b.at, (&relay.Control{Kind: relay.Open, Client: b.Client, Transaction: b.transaction, Node: ident.Node(30_000 + j)}).Append(nil, &b.Secret))
		}
	}
	if n := len(x.m.region.asks); n > searchAll+2 {
		t.Error(n, "searches of all clients")
	}
	c.run(time.Second)
	if len(x.m.region.asks)+len(x.m.region.asking)+len(x.m.region.queue) != 0 {
		t.Error("searches do not end")
	}
}

func TestNothingIsAllocatedForAFrameThatCrosses(t *testing.T) {
	_, x, y, a, b := pairOf(t, 2)
	ch := x.channelTo(a, b.node)
	f := make([]byte, 1300)
	key := relay.ChannelKey(&a.Secret, ch)
	if n := testing.AllocsPerRun(100, func() {
		relay.PutData(f, ch, key)
		for _, hop := range []struct {
			s   *station
			src *Place
		}{{x, &a.at}, {y, &x.at}} {
			l := hop.s.table.Lane(relay.NumberOf(f))
			to := hop.s.table.Seat(l.ToSlot)
			if d := hop.s.book.Decide(1, hop.src, f, l, hop.s.table.Seat(l.FromSlot), to); d != Sent {
				t.Fatal(d)
			}
			hop.s.table.Readdress(f, l, to)
		}
	}); n != 0 {
		t.Error(n, "allocations")
	}
}

func BenchmarkCross(b *testing.B) {
	c := newRegionOf(&testing.T{}, 2, Config{})
	x, y := c.relays[0], c.relays[1]
	from, to := x.joins(1, 100, place(1)), y.joins(1, 200, place(2))
	ch := x.channelTo(from, to.node)
	key, f := relay.ChannelKey(&from.Secret, ch), make([]byte, 1300)
	relay.PutData(f, ch, key)
	head := [relay.HeaderSize]byte(f)
	l := x.table.Lane(ch)
	seat, next := x.table.Seat(l.FromSlot), x.table.Seat(l.ToSlot)
	b.ReportAllocs()
	for b.Loop() {
		copy(f, head[:])
		if d := x.book.Decide(1, &from.at, f, l, seat, next); d != Sent {
			b.Fatal(d)
		}
		x.table.Readdress(f, l, next)
	}
}
