package forward

import (
	"bytes"
	"testing"

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
	w.book = NewBook(Rate{Bytes: 1000, Packets: 1}, Rate{})
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
