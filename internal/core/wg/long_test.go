package wg

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// Three days in which one packet in five is lost, packets overtake each other, the link goes down and comes back, sides reboot,
// and conversations of one or both sides begin and end. Whenever the link has been up for a while, what is said arrives.
// CVLAN_SEEDS=n tries n seeds in place of two.
func TestTrafficFlowsForThreeDays(t *testing.T) {
	seeds := uint64(2)
	if more, err := strconv.ParseUint(os.Getenv("CVLAN_SEEDS"), 10, 32); err == nil {
		seeds = more
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			l := newLongRun(t, seed)
			for l.w.now < mono.Time(73*time.Hour) {
				l.phase()
			}
			for side := range l.w.side {
				if share := float64(l.got[side]) / float64(l.said[side]); share < 0.77 {
					t.Errorf("side %d received %.1f %% of what was said to it while the link was up; loss is 20 %%", side, 100*share)
				}
				if l.said[side] < 20_000 {
					t.Errorf("only %d packets were said to side %d: the test tests nothing", l.said[side], side)
				}
			}
		})
	}
}

// patience is how long a conversation may take to flow, after it began or the link came back, when one message in five is
// lost: the old session must be found dead (15 s), and then a handshake succeeds with 64 % at every attempt.
const patience = 100 * time.Second

type longRun struct {
	w     *world
	rnd   *rand.Rand
	calm  mono.Time // the link is up and nobody rebooted since
	boots uint64
	heard [2]mono.Time // when the latest packet that a side received was said
	said  [2]int       // to a side, in calm
	got   [2]int       // of these
}

func newLongRun(t *testing.T, seed uint64) *longRun {
	w := newWorld(t, seed, nil)
	w.loss, w.spread = 0.2, 300*time.Millisecond
	return &longRun{w: w, rnd: rand.New(testRandom(seed + 1000)), calm: w.now, boots: seed << 8}
}

// phase is a few minutes of one kind of life.
func (l *longRun) phase() {
	seconds := 1 + l.rnd.IntN(900)
	switch l.rnd.IntN(8) {
	case 0: // the link is down, and perhaps somebody talks
		l.w.cut = true
		l.converse(seconds, l.rnd.IntN(4))
		l.w.cut = false
		l.calm = l.w.now
	case 1: // one side reboots
		side := l.rnd.IntN(2)
		l.boots++
		l.collect()
		l.w.boot(side, l.boots, epoch(), nil)
		l.calm = l.w.now
	case 2, 3: // nobody talks
		l.w.run(time.Duration(seconds) * time.Second)
	default:
		l.calm = max(l.calm, l.w.now) // a conversation begins: a session may have to be made
		l.converse(seconds, 1+l.rnd.IntN(3))
	}
}

// converse lets the sides in the bit set speakers say something every second.
func (l *longRun) converse(seconds, speakers int) {
	for range seconds {
		calm := !l.w.cut && l.w.now.Sub(l.calm) > patience
		for from := range l.w.side {
			if speakers>>from&1 == 0 {
				continue
			}
			l.w.say(from, stampOf(l.w.now))
			if calm {
				l.said[1-from]++
				if gap := l.w.now.Sub(max(l.heard[1-from], l.calm)); gap > patience {
					l.w.t.Fatalf("at %v side %d has heard nothing for %v", time.Duration(l.w.now), 1-from, gap)
				}
			}
		}
		l.w.run(time.Second)
		l.collect()
	}
}

// collect looks at what was received.
func (l *longRun) collect() {
	for i, s := range l.w.side {
		for _, p := range s.got {
			at := mono.Time(binary.BigEndian.Uint64([]byte(p)))
			l.heard[i] = max(l.heard[i], at)
			if at.Sub(l.calm) > patience {
				l.got[i]++
			}
		}
		s.got, s.events = nil, nil
	}
}
