package forward

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

func TestAFrameGoesToWhomItsChannelLeads(t *testing.T) {
	w, a, b := story(t, Config{})
	ch := w.channel(a, b.node)
	if same := w.channel(a, b.node); same != ch {
		t.Error("a second Open makes a second channel")
	}
	d, l, to := w.send(a, ch, a.at)
	if d != Sent || to.Number != b.Client || to.Place != b.at || l.Tag != relay.TagOf(&b.Secret, a.node) {
		t.Error(d, l, to)
	}
}

func TestAMoveTakesOneBindForAllChannels(t *testing.T) {
	w, a, b := story(t, Config{})
	ch, back := w.channel(a, b.node), w.channel(b, a.node)
	w.bind(a, place(9))
	if d, _, _ := w.send(a, ch, place(1)); d != DropElsewhere {
		t.Error("from the old address:", d)
	}
	if d, _, _ := w.send(a, ch, place(9)); d != Sent {
		t.Error("from the new one:", d)
	}
	if _, _, to := w.send(b, back, b.at); to.Place != place(9) {
		t.Error("to", to.Place)
	}
}

func TestNothingIsForwardedBeforeTheAddressIsProven(t *testing.T) {
	w, a, b := story(t, Config{})
	c := w.register(1, 300)
	if d, _ := w.say(c, place(3), relay.Control{Kind: relay.Open, Node: a.node}); d != DropElsewhere {
		t.Error("an unbound client opens:", d)
	}
	if d, _, _ := w.send(b, w.channel(b, c.node), b.at); d != DropUnreachable {
		t.Error("to an unbound client:", d)
	}
	w.say(c, place(3), relay.Control{Kind: relay.Bind})
	cookie, _ := w.answer(c)
	if d, _ := w.say(c, place(4), relay.Control{Kind: relay.Bind, Cookie: cookie.Cookie}); d != DropForged || len(w.out.Transmits) != 0 {
		t.Error("with the cookie of another address:", d)
	}
	w.now = w.now.Add(2 * cookieLife)
	if d, _ := w.say(c, place(3), relay.Control{Kind: relay.Bind, Cookie: cookie.Cookie}); d != DropForged {
		t.Error("with an old cookie:", d)
	}
}

func TestACapturedBindIsOfNoUse(t *testing.T) {
	w, a, _ := story(t, Config{})
	old := w.bind(a, place(5))
	w.bind(a, place(6))
	for _, from := range []Place{place(5), place(6), place(7)} {
		if d := w.control(from, old); d != DropReplayed || len(w.out.Transmits)+len(w.out.Seats) != 0 {
			t.Errorf("from %v: %v", from.AddrPort(), d)
		}
	}
	if _, s := w.table.SeatOf(a.Client); s.Place != place(6) {
		t.Error("moved to", s.Place)
	}
}

func TestNobodySpeaksForAnother(t *testing.T) {
	w, a, b := story(t, Config{})
	ch := w.channel(a, b.node)
	thief := *b
	thief.Client = a.Client // claims a's number with its own secret
	for _, kind := range []relay.Kind{relay.Bind, relay.Open, relay.Close, relay.Keepalive, relay.Bye} {
		if d, _ := w.say(&thief, b.at, relay.Control{Kind: kind, Channel: ch}); d != DropForged || len(w.out.Transmits) != 0 {
			t.Error(kind, d)
		}
	}
	if d, _ := w.say(b, b.at, relay.Control{Kind: relay.Close, Channel: ch}); d != Sent {
		t.Error(d)
	}
	if d, _, _ := w.send(a, ch, a.at); d != Sent {
		t.Error("another closed the channel:", d)
	}
	if d, _, _ := w.send(b, ch, b.at); d != DropElsewhere {
		t.Error("another used the channel:", d)
	}
	if d, _, _ := w.send(b, ch, a.at); d != DropForged {
		t.Error("another used the channel with a forged address:", d)
	}
	on := Place{IP: a.at.IP, Port: 1, Via: Stream, Conn: b.conn}
	if d, _ := w.say(a, on, relay.Control{Kind: relay.Bind}); d != DropElsewhere {
		t.Error("a connection speaks for a client that did not register on it:", d)
	}
}

func TestTenantsDoNotMeet(t *testing.T) {
	w, a, _ := story(t, Config{})
	same := w.register(2, 200)
	w.bind(same, place(3))
	foreign := w.register(2, 300)
	w.bind(foreign, place(4))
	if _, why := w.open(a, foreign.node); why != relay.Absent {
		t.Error("a node of another tenant:", why)
	}
	if _, _, to := w.send(a, w.channel(a, 200), a.at); to.Number == same.Client {
		t.Error("the same number in another tenant was reached")
	}
	if _, why := w.open(a, a.node); why != relay.Absent {
		t.Error("itself:", why)
	}
}

func TestSilentClientExpires(t *testing.T) {
	w, a, b := story(t, Config{Idle: time.Minute})
	ch := w.channel(a, b.node)
	for range 5 {
		w.now = w.now.Add(30 * time.Second)
		if d, _ := w.say(a, a.at, relay.Control{Kind: relay.Keepalive}); d != Sent {
			t.Fatal(d)
		}
		w.do(func(out *Out) { w.m.Tick(w.now, out) })
	}
	if w.m.Clients() != 1 {
		t.Fatal(w.m.Clients(), "clients")
	}
	d, _, _ := w.send(a, ch, a.at)
	if d != DropGone {
		t.Error("to who has expired:", d)
	}
	f := make([]byte, 100)
	relay.PutData(f, ch, relay.ChannelKey(&a.Secret, ch))
	w.do(func(out *Out) { w.m.Fault(a.at, f[:relay.MinData], out) })
	if len(w.out.Transmits) != 1 {
		t.Fatal("the sender is not told")
	}
	if n, ok := relay.ReadNotice(w.out.Transmits[0].Data, &a.Secret); !ok || n.Kind != relay.Closed || n.Reason != relay.Gone || n.Number != ch {
		t.Error(n, ok)
	}
	if _, why := w.open(a, b.node); why != relay.Absent {
		t.Error(why)
	}
	if w.m.Deadline() != a.heard(w).Add(time.Minute) {
		t.Error("deadline", w.m.Deadline())
	}
}

// heard is when the machine last heard a client.
func (c *caller) heard(w *world) mono.Time { return w.m.client(c.Client).heard }

func TestANewRegistrationReplacesTheOld(t *testing.T) {
	w, a, b := story(t, Config{})
	there, back := w.channel(a, b.node), w.channel(b, a.node)
	old := *b
	w.again(b)
	if len(w.out.Cut) != 1 || w.out.Cut[0] != old.conn || b.Client == old.Client || b.Secret == old.Secret {
		t.Error("the old registration lives:", w.out.Cut)
	}
	if d, _ := w.say(&old, old.at, relay.Control{Kind: relay.Keepalive}); d != DropUnknown {
		t.Error("its number:", d)
	}
	if d, _, _ := w.send(&old, back, old.at); d != DropUnknown {
		t.Error("its channel:", d)
	}
	w.bind(b, place(7))
	d, l, to := w.send(a, there, a.at)
	if d != Sent || to.Place != place(7) || to.Number != b.Client || l.Tag != relay.TagOf(&b.Secret, a.node) {
		t.Error("the channel that leads to it does not follow:", d)
	}
}

func TestWhoIsRevokedOrExpiredIsCutOff(t *testing.T) {
	w, a, b := story(t, Config{})
	ch := w.channel(a, b.node)
	w.do(func(out *Out) { w.m.Revoke(b.node, out) })
	if len(w.out.Cut) != 1 || w.out.Cut[0] != b.conn || w.m.Clients() != 1 {
		t.Error(w.out.Cut, w.m.Clients())
	}
	if d, _, _ := w.send(a, ch, a.at); d != DropGone {
		t.Error(d)
	}
	w.do(func(out *Out) { w.m.RevokeTenant(1, out) })
	if w.m.Clients() != 0 || w.m.Channels() != 0 {
		t.Error(w.m.Clients(), w.m.Channels())
	}
	w.do(func(out *Out) { w.m.Register(w.now, Admitted{1, 500, w.now.Add(time.Second)}, 77, out) })
	if w.m.Deadline() != w.now.Add(time.Second) {
		t.Error(w.m.Deadline())
	}
	w.now = w.now.Add(time.Second)
	w.do(func(out *Out) { w.m.Tick(w.now, out) })
	if w.m.Clients() != 0 || len(w.out.Cut) != 1 || w.m.Deadline() != mono.Never {
		t.Error("a certificate expired and its client stays")
	}
}

func TestBoundsHold(t *testing.T) {
	w := newWorld(t, Config{Clients: 4, TenantClients: 3, Tenants: 2, Channels: 2, Lanes: 3})
	var of []*caller
	for i := range 3 {
		of = append(of, w.register(1, ident.Node(i+1)))
		w.bind(of[i], place(i))
	}
	refused := func(tenant ident.Tenant, node ident.Node, want relay.Reason) {
		t.Helper()
		c := &caller{tenant: tenant, node: node}
		if w.again(c); c.Reason != want || c.Client != 0 || c.Secret != (relay.Secret{}) {
			t.Errorf("%v, want %v", c.Reason, want)
		}
	}
	refused(1, 4, relay.TooMany)
	other := w.register(2, 9)
	refused(2, 10, relay.Busy)
	w.channel(of[0], 2)
	w.channel(of[0], 3)
	w.channel(of[1], 1)
	if _, why := w.open(of[1], 3); why != relay.Busy {
		t.Error("a channel too many:", why)
	}
	w.do(func(out *Out) { w.m.Revoke(2, out) })
	for node, want := range map[ident.Node]relay.Reason{2: relay.Absent, 3: relay.NoReason} {
		if _, why := w.open(of[0], node); why != want {
			t.Error(node, why)
		}
	}
	w.bind(other, place(8))
	w.do(func(out *Out) { w.m.Revoke(9, out) })
	w.register(3, 11) // in the slot of tenant 2, which is not here any more
	if len(w.out.Vacated) != 1 || w.out.Vacated[0].Tenant != 2 {
		t.Errorf("%+v", w.out.Vacated)
	}
	refused(4, 12, relay.Busy)
}

func TestChannelsThatLeadNowhereMakeRoom(t *testing.T) {
	w, a, b := story(t, Config{Channels: 1})
	for range 3 {
		w.channel(a, b.node)
		w.do(func(out *Out) { w.m.Revoke(b.node, out) })
		b = w.register(1, b.node)
	}
	if w.m.Channels() != 1 {
		t.Error(w.m.Channels())
	}
}

func TestDrainTellsEverybodyInTurnAndLetsNobodyIn(t *testing.T) {
	w := newWorld(t, Config{})
	var all []*caller
	for i := range 600 {
		c := w.register(1, ident.Node(i+1))
		w.bind(c, place(i))
		all = append(all, c)
	}
	w.m.Drain(w.now)
	told := map[relay.Number]int{}
	for w.now = w.m.Deadline(); len(told) < len(all); w.now = w.m.Deadline() {
		w.do(func(out *Out) { w.m.Tick(w.now, out) })
		if len(w.out.Transmits) > byes {
			t.Fatal(len(w.out.Transmits), "at once")
		}
		for _, f := range w.out.Transmits {
			told[relay.NumberOf(f.Data)]++
		}
	}
	if w.again(&caller{tenant: 1, node: 1000}); w.m.Clients() != 600 {
		t.Error("a newcomer is let in")
	}
	for _, c := range all {
		if d, _ := w.say(c, c.at, relay.Control{Kind: relay.Bye}); d != Sent || told[c.Client] != 1 {
			t.Fatal(d, told[c.Client])
		}
	}
	if w.m.Clients() != 0 {
		t.Error(w.m.Clients(), "have not left")
	}
}

func TestNoAnswerIsLongerThanItsQuestion(t *testing.T) {
	w, a, b := story(t, Config{})
	for _, q := range []relay.Control{{Kind: relay.Bind}, {Kind: relay.Open, Node: b.node}, {Kind: relay.Open, Node: 999}, {Kind: relay.Keepalive}, {Kind: relay.Close}} {
		_, f := w.say(a, a.at, q)
		sum := map[Place]int{}
		for _, tr := range w.out.Transmits {
			if sum[tr.To] += len(tr.Data); tr.To != a.at && tr.To != b.at {
				t.Error(q.Kind, "answered elsewhere")
			}
		}
		if sum[a.at] > len(f) || sum[b.at] > len(f) {
			t.Error(q.Kind, sum)
		}
	}
}

func TestAnswersAreNoQuestions(t *testing.T) {
	w, a, _ := story(t, Config{})
	for _, k := range []relay.Kind{relay.Cookie, relay.Bound, relay.Opened, relay.Alive, relay.Refused} {
		if d, _ := w.say(a, a.at, relay.Control{Kind: k}); d != DropMalformed || len(w.out.Transmits) != 0 {
			t.Error(k, d)
		}
	}
}

func TestNumbersOfBeforeARestartAreUnknown(t *testing.T) {
	a := New(Config{}, &counter{}).epoch
	b := New(Config{}, &counter{n: 1}).epoch
	if a == b {
		t.Error("numbers begin where they began")
	}
}

// counter is no randomness at all.
type counter struct{ n byte }

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		c.n++
		b[i] = c.n
	}
	return len(b), nil
}
