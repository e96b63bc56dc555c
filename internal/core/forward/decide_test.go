package forward

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

var (
	home  = Place{IP: [16]byte{15: 1}, Port: 1, Via: UDP}
	away  = Place{IP: [16]byte{15: 2}, Port: 2, Via: UDP}
	quick = Rate{Bytes: 1000, Packets: 1000, Burst: time.Second}
)

type call struct {
	src      Place
	frame    []byte
	lane     Lane
	from, to Seat
}

func good() call {
	l := Lane{Number: 7, FromSlot: 0, ToSlot: 1, From: 10, To: 11, Key: relay.Key{K0: 1, K1: 2}}
	f := make([]byte, 100)
	relay.PutData(f, 7, l.Key)
	return call{home, f, l, Seat{Number: 10, Place: home}, Seat{Number: 11, Place: away}}
}

// till is a Toll for one worker at a time.
type till struct {
	rate    Rate
	tenants map[uint32]*account
}

// newTill makes one; nil without a rate, as relays do.
func newTill(r Rate) Toll {
	if r == (Rate{}) {
		return nil
	}
	return &till{r.Filled(), map[uint32]*account{}}
}

func (t *till) Open(now mono.Time, tenant uint32) bool { return t.tenants[tenant].open(now, &t.rate) }
func (t *till) Charge(now mono.Time, tenant uint32, n int) {
	t.tenants[tenant].charge(now, n, &t.rate)
}
func (t *till) Forget(tenant uint32) { *t.tenants[tenant] = account{} }
func (t *till) Room(tenant uint32) {
	if t.tenants[tenant] == nil {
		t.tenants[tenant] = new(account)
	}
}

// newBook makes one with room for some seats and tenants.
func newBook(node, tenant Rate) *Book {
	b := NewBook(node, newTill(tenant))
	b.Apply(&Out{Seats: []SeatAt{{Fresh: true}}})
	return b
}

func (c *call) decide(b *Book, now mono.Time) Drop {
	return b.Decide(now, &c.src, c.frame, &c.lane, &c.from, &c.to)
}

func TestOnlyWhatItsOwnerSentFromHomeGoesOn(t *testing.T) {
	for want, spoil := range map[Drop]func(*call){
		Sent:            func(c *call) {},
		DropMalformed:   func(c *call) { c.frame = c.frame[:31] },
		DropUnknown:     func(c *call) { c.lane.Number = 8 },
		DropUnbound:     func(c *call) { c.from.Number = 12 },
		DropElsewhere:   func(c *call) { c.src = away },
		DropForged:      func(c *call) { c.frame[20] ^= 1 },
		DropGone:        func(c *call) { c.to.Tenant = 1 },
		DropUnreachable: func(c *call) { c.to.Place = Place{} },
	} {
		b, c := newBook(Rate{}, Rate{}), good()
		spoil(&c)
		if got := c.decide(b, 1); got != want || b.Counted(want) != 1 {
			t.Errorf("%v, want %v", got, want)
		}
		if m := b.Metered(0); (m != Meter{}) != (want == Sent) {
			t.Errorf("%v: metered %+v", want, m)
		}
	}
	var none call
	none.frame = good().frame
	if got := none.decide(newBook(Rate{}, Rate{}), 1); got != DropUnknown {
		t.Error("a channel that is not there:", got)
	}
}

func TestAGreedyNodeIsHeldToItsRateAndItsTenantIsNotCharged(t *testing.T) {
	b, c, sent := newBook(quick, Rate{Bytes: 5000, Burst: time.Second}), good(), 0
	for ms := range 10_000 {
		if c.decide(b, mono.Time(ms+1)*1e6) == Sent {
			sent++
		}
	}
	if sent < 100 || sent > 112 || b.Counted(DropTenantPaced) != 0 {
		t.Error(sent, "frames of 100 bytes in ten seconds at 1000 bytes/s, and", b.Counted(DropTenantPaced))
	}
}

func TestATenantsRateHoldsForItsNodesTogetherAndForNoOther(t *testing.T) {
	for name, rate := range map[string]Rate{"bytes": {Bytes: 1000, Burst: time.Second}, "packets": {Packets: 10, Burst: time.Second}} {
		b := newBook(Rate{}, rate)
		b.Apply(&Out{Seats: []SeatAt{{Slot: 1, Fresh: true}, {Slot: 2, Fresh: true, Seat: Seat{Tenant: 1}}}})
		nodes, sent := [3]call{good(), good(), good()}, [3]int{}
		nodes[1].lane.FromSlot = 1
		nodes[2].lane.FromSlot, nodes[2].from.Tenant, nodes[2].to.Tenant = 2, 1, 1
		for ms := range 10_000 {
			for i := range nodes {
				if i == 2 && ms%200 != 0 {
					continue // half of what its tenant may send
				}
				if nodes[i].decide(b, mono.Time(ms+1)*1e6) == Sent {
					sent[i]++
				}
			}
		}
		if both := sent[0] + sent[1]; both < 100 || both > 112 || sent[2] != 50 || b.Counted(DropTenantPaced) != 20_000-uint64(both) {
			t.Errorf("%s: %v of frames that bear ten a second, %d refused", name, sent, b.Counted(DropTenantPaced))
		}
	}
}

// A tenant's nodes come to different workers, which share its toll.
func TestATenantsRateHoldsThroughAllWorkersTogether(t *testing.T) {
	for name, rate := range map[string]Rate{"bytes": {Bytes: 1000, Burst: time.Second}, "packets": {Packets: 10, Burst: time.Second}} {
		toll, c, sent := newTill(rate), good(), 0
		books := [3]*Book{}
		for i := range books {
			books[i] = NewBook(Rate{}, toll)
			books[i].Apply(&Out{Seats: []SeatAt{{Fresh: true}}})
		}
		for ms := range 10_000 {
			for _, b := range books {
				if c.decide(b, mono.Time(ms+1)*1e6) == Sent {
					sent++
				}
			}
		}
		if sent < 100 || sent > 112 {
			t.Errorf("%s: %d of frames that bear ten a second, in ten seconds", name, sent)
		}
		for _, b := range books {
			b.Settle(0)
		}
		if c.decide(books[1], mono.Time(10_001)*1e6) != Sent {
			t.Errorf("%s: the next tenant in the slot pays for the one before", name)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	const clients = 10_000
	book, c := newBook(Rate{}, Rate{}), good()
	for i := range uint32(clients) {
		book.Apply(&Out{Seats: []SeatAt{{Slot: i, Fresh: true}}})
	}
	lanes, seats, frames := make([]Lane, clients), make([]Seat, clients), make([][]byte, clients)
	for i := range lanes {
		n := relay.Number(i + 1)
		lanes[i] = Lane{Number: n, FromSlot: uint32(i), ToSlot: uint32((i + 1) % clients), From: n, To: relay.Number((i+1)%clients + 1), Key: relay.Key{K0: uint64(i)}}
		seats[i] = Seat{Number: n, Place: home}
		frames[i] = make([]byte, 48)
		relay.PutData(frames[i], n, lanes[i].Key)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % clients
		l := &lanes[i]
		if d := book.Decide(mono.Time(1), &c.src, frames[i], l, &seats[l.FromSlot], &seats[l.ToSlot]); d != Sent {
			b.Fatal(d)
		}
	}
}
