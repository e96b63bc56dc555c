package forward

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

var greeting = []byte("a payload of more than sixteen bytes")

// call says a Call, and returns what came of it and what it delivered to whom.
func (w *world) call(c *caller, from Place, to ident.Node) (d Drop, delivered []byte, at Place) {
	c.transaction++
	f := (&relay.Control{Kind: relay.Call, Client: c.Client, Transaction: c.transaction, Node: to}).Append(nil, &c.Secret)
	d = w.control(from, append(f, greeting...))
	for _, k := range w.out.Called {
		delivered, at = w.out.Transmits[k.Transmit].Data, w.out.Transmits[k.Transmit].To
	}
	return d, delivered, at
}

func TestTheFirstPacketTravelsWithItsOpen(t *testing.T) {
	w, a, b := story(t, Config{})
	_, f, at := w.call(a, a.at, b.node)
	n, tag, p, err := relay.ReadDeliver(f)
	if err != nil || n != b.Client || tag != relay.TagOf(&b.Secret, a.node) || at != b.at || !bytes.Equal(p, greeting) {
		t.Fatal(n, at, err)
	}
	o, _ := w.answer(a)
	if o.Kind != relay.Opened || !o.Took {
		t.Errorf("%+v", o)
	}
	if d, _, _ := w.send(a, o.Channel, a.at); d != Sent {
		t.Error("on the channel:", d)
	}
	if w.book.Call(w.now, &w.out.Called[0], len(f)) != Sent || w.book.Metered(0).Bytes < uint64(len(f)) {
		t.Error("it is not metered")
	}
}

func TestWhoHasNotProvenItsAddressCallsNobody(t *testing.T) {
	w, a, b := story(t, Config{})
	c := w.register(1, 300)
	for _, x := range []struct {
		who  *caller
		from Place
		to   ident.Node
		want Drop
	}{{c, place(3), a.node, DropElsewhere}, {a, place(9), b.node, DropElsewhere}, {a, a.at, c.node, Sent}, {a, a.at, a.node, Sent}, {a, a.at, 999, Sent}} {
		if d, f, _ := w.call(x.who, x.from, x.to); d != x.want || f != nil {
			t.Errorf("%v calls %v: %v, delivered %d bytes", x.who.node, x.to, d, len(f))
		}
	}
	foreign := w.register(2, 400)
	w.bind(foreign, place(4))
	if _, f, _ := w.call(foreign, place(4), b.node); f != nil {
		t.Error("into another tenant")
	}
	a.transaction -= 2
	if d, f, _ := w.call(a, a.at, b.node); d != DropReplayed || f != nil {
		t.Error("an old one:", d)
	}
}

func TestTheWayBackIsOpenBeforeItIsAskedFor(t *testing.T) {
	w, a, b := story(t, Config{})
	w.channel(a, b.node)
	o := w.offered(b)
	if d, _, to := w.send(b, o.Channel, b.at); o.Node != a.node || d != Sent || to.Number != a.Client {
		t.Fatalf("%+v: %v", o, d)
	}
	if same := w.channel(b, a.node); same != o.Channel {
		t.Error("an Open makes a second channel")
	}
	if w.channel(a, b.node); w.offered(b).Channel != 0 {
		t.Error("it is offered again")
	}
}

func TestOffersLeaveHalfOfTheRoom(t *testing.T) {
	w := newWorld(t, Config{Channels: 4})
	b := w.register(1, 1)
	w.bind(b, place(1))
	offers := 0
	for n := 2; n < 9; n++ {
		c := w.register(1, ident.Node(n))
		w.bind(c, place(n))
		if w.channel(c, b.node); w.offered(b).Channel != 0 {
			offers++
		}
	}
	if offers != 2 {
		t.Error(offers, "offers")
	}
	if w.channel(b, 7); w.m.client(b.Client).channels != 3 {
		t.Error("no room is left for its own")
	}
}

func TestACallCostsWhatADataFrameCosts(t *testing.T) {
	w, a, b := story(t, Config{})
	w.book = NewBook(Rate{Bytes: 1000, Packets: 1}, nil)
	w.do(func(out *Out) { w.m.Register(w.now, Admitted{Tenant: 9, Node: 9, Expires: mono.Never}, 99, out) }) // room in the new book
	got := map[Drop]int{}
	for range 10 {
		_, f, _ := w.call(a, a.at, b.node)
		got[w.book.Call(w.now, &w.out.Called[0], len(f))]++
	}
	if got[Sent] == 0 || got[DropNodePaced] == 0 {
		t.Error(got)
	}
}

// calls says a Call at a relay of a region, and returns its answer as far as it has come.
func (s *station) calls(n *caller, to ident.Node) uint64 {
	n.transaction++
	f := (&relay.Control{Kind: relay.Call, Client: n.Client, Transaction: n.transaction, Node: to}).Append(nil, &n.Secret)
	s.arrive(n.at, append(f, greeting...))
	return n.transaction
}

// gets tells what a client has got, in order: the transactions of answers, or else what the frame is.
func (s *station) gets(n *caller) (all []string) {
	for _, f := range s.inbox[n.at] {
		if _, _, p, err := relay.ReadDeliver(f); err == nil {
			all = append(all, string(p))
		} else if a, ok := relay.ReadControl(f, &n.Secret); !ok {
			all = append(all, "?")
		} else if a.Kind == relay.Offered {
			all = append(all, "offer")
		} else {
			all = append(all, fmt.Sprintf("%v %d %v", a.Kind == relay.Opened, a.Transaction, a.Took))
		}
	}
	s.inbox[n.at] = nil
	return all
}

func TestTheFirstPacketCrossesTheRegionWithoutBeingSaidTwice(t *testing.T) {
	c, x, y, a, b := pairOf(t, 3)
	x.gets(a)
	y.gets(b)
	a.transaction++ // what a node does: it opens, and calls until it has a channel
	x.arrive(a.at, (&relay.Control{Kind: relay.Open, Client: a.Client, Transaction: a.transaction, Node: b.node}).Append(nil, &a.Secret))
	x.calls(a, b.node)
	c.run(time.Second)
	at := fmt.Sprintf("true %d ", a.transaction-1)
	if got, want := y.gets(b), []string{"offer", string(greeting)}; !slices.Equal(got, want) {
		t.Errorf("the receiver gets %q, not %q", got, want)
	}
	if got := x.gets(a); len(got) == 0 || got[0] != at+"false" {
		t.Errorf("the sender gets %q", got)
	}
	if x.m.region.held != 0 || x.m.client(a.Client).held != 0 {
		t.Error("it is kept for ever")
	}
}

func TestWhatIsHeldIsSentOnInOrderAndBounded(t *testing.T) {
	c, x, y, a, b := pairOf(t, 2)
	c.cut[[2]int{0, 1}] = true
	first := x.calls(a, b.node)
	for range maxHeldFor + 2 {
		x.calls(a, b.node)
	}
	for node := range 3 * maxHeldBy {
		x.calls(a, ident.Node(5000+node))
	}
	if n := x.m.client(a.Client).held; n != maxHeldBy || x.m.region.held != maxHeldBy {
		t.Error(n, "of one client's are held, and in all", x.m.region.held)
	}
	x.gets(a)
	y.gets(b)
	c.cut[[2]int{0, 1}] = false
	c.run(time.Second)
	if got := y.gets(b); len(got) != 1+maxHeldFor || got[0] != "offer" || got[4] != string(greeting) {
		t.Errorf("the receiver gets %q", got)
	}
	var opened []string
	for _, g := range x.gets(a) {
		if strings.HasPrefix(g, "true") {
			opened = append(opened, g)
		}
	}
	want := []string{fmt.Sprintf("true %d true", first), fmt.Sprintf("true %d true", first+1), fmt.Sprintf("true %d true", first+2),
		fmt.Sprintf("true %d true", first+3), fmt.Sprintf("true %d false", first+maxHeldFor+2)}
	if !slices.Equal(opened, want) {
		t.Errorf("the sender gets %q, not %q", opened, want)
	}
	if x.m.region.held != 0 || x.m.client(a.Client).held != 0 {
		t.Error("room is not given back")
	}
}

func TestAPayloadForNobodyIsRefusedAndForgotten(t *testing.T) {
	c, x, _, a, _ := pairOf(t, 2)
	x.gets(a)
	x.calls(a, 999)
	c.run(time.Second)
	if got, want := x.gets(a), []string{fmt.Sprintf("false %d false", a.transaction)}; !slices.Equal(got, want) || x.m.region.held != 0 {
		t.Errorf("%q, not %q; %d are held", got, want, x.m.region.held)
	}
	x.calls(a, 998)
	a = x.joins(1, a.node, place(1)) // who registers anew has nothing held
	x.calls(a, 997)
	c.run(time.Second)
	if x.m.client(a.Client).held != 0 || x.m.region.held != 0 {
		t.Error("held:", x.m.client(a.Client).held, x.m.region.held)
	}
}

func TestTheWayBackAcrossTheRegionIsOfferedAndWorks(t *testing.T) {
	c, x, y, a, b := pairOf(t, 2)
	x.channelTo(a, b.node)
	c.run(time.Second)
	var o relay.Control
	for _, f := range y.inbox[b.at] {
		if q, ok := relay.ReadControl(f, &b.Secret); ok && q.Kind == relay.Offered {
			o = q
		}
	}
	if o.Node != a.node || !y.reaches(b, o.Channel, x, a) {
		t.Fatalf("offered %+v", o)
	}
	if same := y.channelTo(b, a.node); same != o.Channel {
		t.Error("an Open makes a second channel")
	}
}
