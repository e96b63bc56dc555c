package wg_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/node/tunnel/tunneltest"
)

// patience is how long two nodes may be apart after one of them has moved, or a few datagrams were lost.
const patience = 30 * time.Second

// repeats sends a text once a second until it is heard, as a program that waits for an answer does.
func (e *end) repeats(to *end, text string, within time.Duration) bool {
	for start := time.Now(); time.Since(start) < within; {
		e.says(to, text)
		if to.hears(text, time.Second) {
			return true
		}
	}
	return false
}

// follows has an end move, and everybody learn of it as a controller tells: itself at once, the others later.
func (w *world) follows(e *end, n byte, later time.Duration) {
	w.Helper()
	e.moves(n)
	e.Wake()
	time.Sleep(later)
	for _, o := range w.ends {
		if o != e {
			o.knows(e)
		}
	}
}

func TestThreeDaysOfABadLinkAndMovingHouse(t *testing.T) {
	inWorld(t, 9, func(w *world) {
		a, b := w.pair()
		w.Loss, w.Twice, w.Jitter = 0.05, 0.01, rtt/2
		moves, worst := 0, time.Duration(0)
		moveAt := time.Now()
		for over, i := time.Now().Add(tunneltest.Brief(72*time.Hour, 12*time.Hour)), 0; time.Now().Before(over); i++ {
			if time.Now().After(moveAt) {
				moveAt = time.Now().Add(time.Hour + time.Duration(w.dice.Int64N(int64(4*time.Hour))))
				moves++
				who := []*end{a, b}[w.dice.IntN(2)]
				w.follows(who, 20+(who.n-1)*80+byte(moves%80), time.Duration(w.dice.Int64N(int64(5*time.Second))))
			}
			for _, way := range [][2]*end{{a, b}, {b, a}} {
				start := time.Now()
				if !way[0].repeats(way[1], fmt.Sprint(i), patience) {
					w.Fatalf("after %d moves, at %v: not heard within %v; %+v, %+v", moves, start, patience, way[0].of(way[1]), way[1].of(way[0]))
				}
				worst = max(worst, time.Since(start))
				a.heard()
				b.heard()
			}
			w.Pass(time.Duration(w.dice.Int64N(int64(2 * time.Minute))))
		}
		w.Logf("%d moves; the longest wait was %v; %d datagrams", moves, worst.Round(time.Millisecond), w.Carried())
	})
}
