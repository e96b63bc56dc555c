package linger

import "testing"

// sleep has a worker find nothing until it sleeps, and says how often it looked.
func sleep(l *Linger) (looked int) {
	for l.Again() {
		looked++
	}
	return looked
}

// TestIdleWorkersSleepAtOnce: who is disappointed looks again at most once in many sleeps.
func TestIdleWorkersSleepAtOnce(t *testing.T) {
	var l Linger
	looked := 0
	for range 100 * (seldom + 1) {
		looked += sleep(&l)
	}
	if looked != 100*looks {
		t.Errorf("%d looks for nothing, not %d", looked, 100*looks)
	}
}

// TestTrustGrowsWhereLingeringPays: once something was found while it lingered, a worker lingers each time, and stops when nothing more is found.
func TestTrustGrowsWhereLingeringPays(t *testing.T) {
	var l Linger
	for !l.Again() { // until it tries
	}
	l.Found()
	for n := range 50 {
		if !l.Again() {
			t.Fatalf("sleeps at once the %d. time, though lingering pays", n)
		}
		l.Found()
	}
	n := 0
	for ; sleep(&l) == looks; n++ {
	}
	if n != most/2 {
		t.Errorf("trusts for %d disappointments, not %d", n, most/2)
	}
}

// TestWhatComesByItselfSaysNothing: packets that were there at once neither make trust nor cost it.
func TestWhatComesByItselfSaysNothing(t *testing.T) {
	var l Linger
	for range 1000 {
		l.Found()
	}
	if sleep(&l) != 0 {
		t.Error("lingers though it was never tried")
	}
}
