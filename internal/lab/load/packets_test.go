package load

import (
	"context"
	"testing"
	"time"
)

func TestSteadyPacketsAreCountedAtTheReceiver(t *testing.T) {
	got, err := UDP(t.Context(), Packets{To: serveHere(t), Rate: 10_000, For: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got.Sent < 50 || got.Sent > 2001 || got.Received == 0 || got.Received > got.Sent || got.Doubled != 0 || got.Reordered != 0 {
		t.Errorf("%+v", got)
	}
	if want := 1 - float64(got.Received)/float64(got.Sent); got.Loss != want {
		t.Errorf("a loss of %v, want %v", got.Loss, want)
	}
	if want := float64(got.Received) / got.Seconds / 1e3; got.ReceivedKpps != want || got.SentKpps < got.ReceivedKpps {
		t.Errorf("%v kpps received of %v sent, want %v", got.ReceivedKpps, got.SentKpps, want)
	}
}

func TestImpossiblePacketsAreRefused(t *testing.T) {
	for _, p := range []Packets{{}, {Rate: -1}, {Rate: 1e9}, {Rate: 1, Size: 7}, {Rate: 1, Size: 1 << 16}, {Rate: 1e6, For: time.Hour}, {Rate: 1, For: 2 * time.Hour}} {
		p.To = "127.0.0.1:1"
		if _, err := UDP(t.Context(), p); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}

func TestCancelledPacketsEndAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := UDP(ctx, Packets{To: serveHere(t), Rate: 1000, For: time.Minute}); err == nil {
		t.Error("cancelled packets have a result")
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v to cancel", took)
	}
}

func TestLateSenderCatchesUpAtTwiceItsRate(t *testing.T) {
	p := newPace(100_000)
	sent := 0
	for now := time.Duration(0); now <= 100*time.Millisecond; now += slot {
		n := p.due(now)
		if n > 50 {
			t.Fatalf("%d packets are due in one slot of a steady sender", n)
		}
		sent += n
	}
	if sent < 9_999 || sent > 10_001 {
		t.Errorf("%d packets in 100 ms", sent)
	}
	late := 0
	for now := 105 * time.Millisecond; now <= 120*time.Millisecond; now += slot { // kept away for 5 ms
		n := p.due(now)
		if n > 100 {
			t.Fatalf("a burst of %d packets after a pause", n)
		}
		late += n
	}
	if late < 1_999 || late > 2_001 {
		t.Errorf("%d packets in 20 ms, want 2,000", late)
	}
}

func TestLongAbsenceIsNotMadeUpFor(t *testing.T) {
	p := newPace(100_000)
	sent := 0
	for now := time.Second; now < time.Second+100*time.Millisecond; now += slot {
		sent += p.due(now)
	}
	if sent > 12_001 || sent < 11_900 { // those of 100 ms and of the last 20 ms before
		t.Errorf("%d packets after an absence of a second", sent)
	}
}

func TestSlowSenderSendsOneAtATime(t *testing.T) {
	p := newPace(10)
	sent := 0
	for now := time.Duration(0); now <= time.Second; now += slot {
		n := p.due(now)
		if n > 1 {
			t.Fatalf("%d packets at once", n)
		}
		sent += n
	}
	if sent < 9 || sent > 11 {
		t.Errorf("%d packets in a second, want 10", sent)
	}
}

func TestTallyTellsLostDoubledAndReorderedApart(t *testing.T) {
	c := newTally(100)
	for _, n := range []uint64{0, 1, 3, 2, 3, 5, 4, 4, 99, 100, 1 << 63} {
		c.add(n)
	}
	if c.received != 7 || c.doubled != 2 || c.reordered != 2 {
		t.Errorf("received %d, doubled %d, reordered %d; want 7, 2, 2", c.received, c.doubled, c.reordered)
	}
}
