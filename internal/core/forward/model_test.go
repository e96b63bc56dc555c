package forward

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/proto/relay"
)

// The model: who is registered and where, and who may send to whom, in maps as simple as can be. Whatever happens, a worker forwards exactly
// what the model says, and to where it says.

// modelled is what the model knows of a node.
type modelled struct {
	*caller
	heard    time.Duration
	channels map[relay.Number]*modelled // that it opened in this registration
	dead     map[relay.Number]bool      // of those, the ones whose receiver left after they were opened
}

type model struct {
	*world
	clock time.Duration
	nodes map[ident.Node]*modelled // registered
	gone  []*modelled              // what was replaced or left
}

const modelIdle = time.Minute

func (m *model) node(t *rapid.T, label string) ident.Node {
	return ident.Node(rapid.IntRange(1, 6).Draw(t, label))
}

// tenantOf puts even and odd nodes into different tenants.
func tenantOf(n ident.Node) ident.Tenant { return ident.Tenant(n%2 + 1) }

func (m *model) leave(n *modelled) {
	delete(m.nodes, n.node)
	m.gone = append(m.gone, n)
	for _, o := range m.nodes {
		for ch, to := range o.channels {
			if to == n {
				o.dead[ch] = true
			}
		}
	}
}

func (m *model) Register(t *rapid.T) {
	id := m.node(t, "node")
	fresh := &modelled{caller: m.register(tenantOf(id), id), heard: m.clock, channels: map[relay.Number]*modelled{}, dead: map[relay.Number]bool{}}
	if old := m.nodes[id]; old != nil {
		m.gone = append(m.gone, old)
		for _, o := range m.nodes {
			for ch, to := range o.channels {
				if to == old {
					o.channels[ch] = fresh
				}
			}
		}
	}
	m.nodes[id] = fresh
}

func (m *model) Bind(t *rapid.T) {
	if n := m.nodes[m.node(t, "node")]; n != nil {
		m.bind(n.caller, place(rapid.IntRange(1, 4).Draw(t, "place")))
		n.heard = m.clock
	}
}

func (m *model) Open(t *rapid.T) {
	a, to := m.nodes[m.node(t, "from")], m.node(t, "to")
	if a == nil || a.at.Via == Nowhere {
		return
	}
	ch, why := m.open(a.caller, to)
	a.heard = m.clock
	b := m.nodes[to]
	switch {
	case b == nil || b == a || b.tenant != a.tenant:
		if why != relay.Absent {
			t.Fatalf("opened: %v", why)
		}
	case ch == 0:
		t.Fatalf("not opened: %v", why)
	default:
		if to, was := a.channels[ch]; was && (to != b || a.dead[ch]) {
			t.Fatal("the number of another channel")
		}
		a.channels[ch] = b
		m.Offered(t, a, b)
	}
}

// Offered lets b take what it was offered when a has opened a channel to it.
func (m *model) Offered(t *rapid.T, a, b *modelled) {
	o := m.offered(b.caller)
	if o.Channel == 0 {
		return
	}
	if to, was := b.channels[o.Channel]; o.Node != a.node || was && (to != a || b.dead[o.Channel]) {
		t.Fatal("the number of another channel was offered")
	}
	b.channels[o.Channel] = a
}

func (m *model) Close(t *rapid.T) {
	if n := m.nodes[m.node(t, "node")]; n != nil && n.at.Via != Nowhere && len(n.channels) > 0 {
		ch := rapid.SampledFrom(numbers(n.channels)).Draw(t, "channel")
		m.say(n.caller, n.at, relay.Control{Kind: relay.Close, Channel: ch})
		n.heard = m.clock
		delete(n.channels, ch)
		delete(n.dead, ch)
	}
}

func numbers(of map[relay.Number]*modelled) (all []relay.Number) {
	for i := relay.Number(1); len(all) < len(of); i++ {
		for n := range of {
			if least(of, all) == n {
				all = append(all, n)
			}
		}
	}
	return all
}

// least is the smallest that is larger than all that were taken.
func least(of map[relay.Number]*modelled, taken []relay.Number) (n relay.Number) {
	for c := range of {
		if (len(taken) == 0 || c > taken[len(taken)-1]) && (n == 0 || c < n) {
			n = c
		}
	}
	return n
}

func (m *model) Bye(t *rapid.T) {
	if n := m.nodes[m.node(t, "node")]; n != nil && n.at.Via != Nowhere {
		m.say(n.caller, n.at, relay.Control{Kind: relay.Bye})
		m.leave(n)
	}
}

func (m *model) Revoke(t *rapid.T) {
	id := m.node(t, "node")
	m.do(func(out *Out) { m.m.Revoke(id, out) })
	if n := m.nodes[id]; n != nil {
		m.leave(n)
	}
}

func (m *model) Wait(t *rapid.T) {
	d := rapid.SampledFrom([]time.Duration{time.Second, 25 * time.Second, 45 * time.Second}).Draw(t, "time")
	m.clock += d
	m.now = m.now.Add(d)
	m.do(func(out *Out) { m.m.Tick(m.now, out) })
	for id := ident.Node(1); id <= 6; id++ {
		if n := m.nodes[id]; n != nil && m.clock-n.heard >= modelIdle {
			m.leave(n)
		}
	}
}

func (m *model) Keepalive(t *rapid.T) {
	if n := m.nodes[m.node(t, "node")]; n != nil && n.at.Via != Nowhere {
		if d, _ := m.say(n.caller, n.at, relay.Control{Kind: relay.Keepalive}); d != Sent {
			t.Fatalf("keepalive: %v", d)
		}
		n.heard = m.clock
	}
}

// Check lets everybody who ever was send on every channel that ever was, from each address.
func (m *model) Check(t *rapid.T) {
	if m.m.Clients() != len(m.nodes) {
		t.Fatalf("%d clients, want %d", m.m.Clients(), len(m.nodes))
	}
	channels := 0
	for id := ident.Node(1); id <= 6; id++ {
		n := m.nodes[id]
		if n == nil {
			continue
		}
		channels += len(n.channels)
		for ch, to := range n.channels {
			m.check(t, n, ch, to)
		}
	}
	if m.m.Channels() != channels {
		t.Fatalf("%d channels, want %d", m.m.Channels(), channels)
	}
	for _, n := range m.gone {
		for ch := range n.channels {
			if d, _, _ := m.send(n.caller, ch, n.at); d == Sent {
				t.Fatal("who has left sends")
			}
		}
	}
}

func (m *model) check(t *rapid.T, n *modelled, ch relay.Number, to *modelled) {
	for p := range 5 {
		from := place(p)
		d, l, seat := m.send(n.caller, ch, from)
		want := Sent
		switch {
		case n.at.Via == Nowhere:
			want = DropUnbound
		case n.at != from:
			want = DropElsewhere
		case n.dead[ch]:
			want = DropGone
		case to.at.Via == Nowhere:
			want = DropUnreachable
		}
		if d != want {
			t.Fatalf("node %v, channel %v: %v, want %v", n.node, ch, d, want)
		}
		if d == Sent && (seat.Place != to.at || seat.Number != to.Client || l.Tag != relay.TagOf(&to.Secret, n.node)) {
			t.Fatalf("to %+v, want %v", seat, to.node)
		}
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{Clients: 6, Tenants: 2, Lanes: 64, Idle: modelIdle}
		m := &model{world: newWorld(t, cfg), nodes: map[ident.Node]*modelled{}}
		t.Repeat(map[string]func(*rapid.T){
			"register": m.Register, "bind": m.Bind, "open": m.Open, "close": m.Close, "bye": m.Bye, "revoke": m.Revoke,
			"wait": m.Wait, "keepalive": m.Keepalive, "": m.Check,
		})
	})
}

func FuzzControl(f *testing.F) {
	w := newWorld(f, Config{})
	a, b := w.register(1, 1), w.register(1, 2)
	bound := w.bind(a, place(1))
	f.Add(bound)
	for _, k := range []relay.Kind{relay.Bind, relay.Open, relay.Close, relay.Keepalive, relay.Bye} {
		f.Add((&relay.Control{Kind: k, Client: a.Client, Transaction: 1}).Append(nil, &a.Secret))
	}
	f.Add(append((&relay.Control{Kind: relay.Call, Client: a.Client, Transaction: 8, Node: 2}).Append(nil, &a.Secret), greeting...))
	f.Add((&relay.Control{Kind: relay.Bind, Client: b.Client, Transaction: 9}).Append(nil, &b.Secret))
	f.Fuzz(func(t *testing.T, frame []byte) {
		before := fmt.Sprint(w.table.SeatOf(a.Client))
		w.control(place(9), frame)
		for _, tr := range w.out.Transmits {
			if len(tr.Data) > len(frame) {
				t.Error("an answer that is longer than its question")
			}
		}
		if after := fmt.Sprint(w.table.SeatOf(a.Client)); after != before || w.m.Clients() != 2 {
			t.Error("a stranger changed something:", before, after)
		}
	})
}
