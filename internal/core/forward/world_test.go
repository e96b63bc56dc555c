package forward

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// fails is what a story and a model have in common.
type fails interface {
	Helper()
	Fatalf(string, ...any)
}

// world is a relay without sockets: a machine, and one worker's table and book.
type world struct {
	fails
	now   mono.Time
	m     *Machine
	table *Table
	book  *Book
	out   Out
	conns uint32
}

func newWorld(t fails, cfg Config) *world {
	return &world{fails: t, now: mono.Time(time.Hour), m: New(cfg, rand.NewChaCha8([32]byte{1})), table: NewTable(cfg), book: NewBook(Rate{}, nil)}
}

// caller is a client as a node knows itself.
type caller struct {
	relay.Welcome
	tenant      ident.Tenant
	node        ident.Node
	transaction uint64
	conn        uint32
	at          Place
}

// do runs a step and applies what it changed. What it says stays in out.
func (w *world) do(step func(out *Out)) {
	w.out.Reset()
	step(&w.out)
	w.book.Apply(&w.out)
	w.table.Apply(&w.out)
}

func (w *world) register(tenant ident.Tenant, node ident.Node) *caller {
	w.Helper()
	c := &caller{tenant: tenant, node: node}
	if w.again(c); c.Reason != relay.NoReason {
		w.Fatalf("not registered: %v", c.Reason)
	}
	return c
}

// again registers a node as if it had lost all.
func (w *world) again(c *caller) {
	w.conns++
	c.conn, c.transaction, c.at = w.conns, 0, Place{}
	w.do(func(out *Out) {
		c.Welcome = w.m.Register(w.now, Admitted{Tenant: c.tenant, Node: c.node}, w.conns, out)
	})
}

// say sends a control frame with the next transaction.
func (w *world) say(c *caller, from Place, q relay.Control) (Drop, []byte) {
	c.transaction++
	q.Client, q.Transaction = c.Client, c.transaction
	f := q.Append(nil, &c.Secret)
	return w.control(from, f), f
}

func (w *world) control(from Place, frame []byte) (d Drop) {
	w.do(func(out *Out) { d = w.m.Control(w.now, from, [16]byte{}, frame, out) })
	return d
}

// answer returns what the machine said to c, if it was one control frame that c believes.
func (w *world) answer(c *caller) (a relay.Control, ok bool) {
	for _, t := range w.out.Transmits {
		if relay.NumberOf(t.Data) != c.Client {
			continue
		}
		if ok {
			return a, false
		}
		if a, ok = relay.ReadControl(t.Data, &c.Secret); !ok {
			return a, false
		}
	}
	return a, ok
}

// offered returns the channel that was offered to c; zero: none.
func (w *world) offered(c *caller) (o relay.Control) {
	for _, t := range w.out.Transmits {
		if a, ok := relay.ReadControl(t.Data, &c.Secret); ok && a.Kind == relay.Offered && t.To == c.at {
			o = a
		}
	}
	return o
}

// bind binds a client as it should, and returns the frame that did it.
func (w *world) bind(c *caller, at Place) []byte {
	w.Helper()
	w.say(c, at, relay.Control{Kind: relay.Bind})
	cookie, ok := w.answer(c)
	if !ok || cookie.Kind != relay.Cookie {
		w.Fatalf("no cookie: %+v", w.out)
	}
	d, f := w.say(c, at, relay.Control{Kind: relay.Bind, Cookie: cookie.Cookie})
	if a, ok := w.answer(c); !ok || a.Kind != relay.Bound || a.Seen != at.AddrPort() || d != Sent {
		w.Fatalf("not bound: %v", d)
	}
	c.at = at
	return f
}

func (w *world) open(c *caller, to ident.Node) (relay.Number, relay.Reason) {
	w.Helper()
	w.say(c, c.at, relay.Control{Kind: relay.Open, Node: to})
	a, ok := w.answer(c)
	if !ok || a.Transaction != c.transaction || (a.Kind == relay.Opened) != (a.Reason == relay.NoReason) {
		w.Fatalf("no answer to Open: %+v", a)
	}
	return a.Channel, a.Reason
}

// channel is open, and must succeed.
func (w *world) channel(c *caller, to ident.Node) relay.Number {
	w.Helper()
	n, why := w.open(c, to)
	if why != relay.NoReason {
		w.Fatalf("not opened: %v", why)
	}
	return n
}

// send lets the worker decide about a frame of c's on a channel, and tells to whom it went.
func (w *world) send(c *caller, channel relay.Number, from Place) (Drop, *Lane, *Seat) {
	f := make([]byte, 100)
	relay.PutData(f, channel, relay.ChannelKey(&c.Secret, channel))
	l := w.table.Lane(channel)
	to := w.table.Seat(l.ToSlot)
	return w.book.Decide(w.now, &from, f, l, w.table.Seat(l.FromSlot), to), l, to
}

// place is the address of the n-th machine.
func place(n int) Place {
	return Place{IP: [16]byte{10: 255, 11: 255, 12: 10, 15: byte(n)}, Port: 1000, Via: UDP}
}

func story(t *testing.T, cfg Config) (w *world, a, b *caller) {
	w = newWorld(t, cfg)
	a, b = w.register(1, 100), w.register(1, 200)
	w.bind(a, place(1))
	w.bind(b, place(2))
	return w, a, b
}
