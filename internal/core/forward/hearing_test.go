package forward

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// askers are tenants that ask a worker so often a second, each at an even rate; the last of them are relays of the region.
type askers struct {
	book  *Book
	rates []int
	seats []Seat
	asks  [][]byte // a frame of each
	heard []int
}

func newAskers(rates ...int) *askers {
	a := &askers{book: NewBook(Rate{}, nil), rates: rates, heard: make([]int, len(rates))}
	for i := range rates {
		s := Seat{Number: relay.Number(i + 1), Tenant: uint32(i), Place: home}
		a.book.Apply(&Out{Seats: []SeatAt{{Slot: uint32(i), Seat: s, Fresh: true}}})
		a.seats = append(a.seats, s)
		a.asks = append(a.asks, (&relay.Control{Kind: relay.Keepalive, Client: s.Number}).Append(nil, new(relay.Secret)))
	}
	return a
}

// run lets them ask for some seconds, after one in which nothing is counted.
func (a *askers) run(seconds int) {
	const step = 50 * time.Microsecond
	due := make([]float64, len(a.rates))
	for now, start := mono.Time(time.Hour), mono.Time(time.Hour).Add(time.Second); now < start.Add(time.Duration(seconds)*time.Second); now = now.Add(step) {
		for i, r := range a.rates {
			for due[i] += float64(r) * step.Seconds(); due[i] >= 1; due[i]-- {
				if a.book.Control(now, &home, a.asks[i], &a.seats[i]) == Sent && now >= start {
					a.heard[i]++
				}
			}
		}
	}
	for i := range a.heard {
		a.heard[i] /= seconds
	}
}

func TestATenantThatFloodsWithQuestionsDoesNotSilenceOthers(t *testing.T) {
	a := newAskers(500_000, 1000, 20)
	a.run(2)
	if a.heard[1] < 995 || a.heard[2] < 19 {
		t.Errorf("of %v questions a second %v are heard", a.rates, a.heard)
	}
	if a.heard[0] < controlRate/2 || a.heard[0] > controlRate {
		t.Errorf("of the flood %d are heard a second", a.heard[0])
	}
	if a.book.Counted(DropBusy) == 0 {
		t.Error("nothing is counted")
	}
}

func TestATenantThatFloodsDoesNotSilenceTheRegion(t *testing.T) {
	a := newAskers(500_000, 1000)
	a.seats[1].Tenant = noTenant
	a.run(2)
	if a.heard[1] < 995 {
		t.Errorf("of %v questions a second %v are heard", a.rates, a.heard)
	}
}

func TestWhoAsksAloneHasAllOfTheOwner(t *testing.T) {
	a := newAskers(500_000)
	a.run(2)
	if n := a.heard[0]; n < controlRate*98/100 || n > controlRate*102/100 {
		t.Errorf("%d are heard a second", n)
	}
}

func TestManyThatFloodGetTheSameAndNoMoreThanTheOwnerIsFor(t *testing.T) {
	rates := make([]int, 50)
	for i := range rates {
		rates[i] = 4000
	}
	a := newAskers(rates...)
	a.run(2)
	sum, least := 0, controlRate
	for _, n := range a.heard {
		sum, least = sum+n, min(least, n)
	}
	if sum > controlRate*105/100 || least < controlRate/2/len(rates) {
		t.Errorf("%d are heard a second, of one %d", sum, least)
	}
}
