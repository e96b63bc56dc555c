package path

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/sim/natmodel"
)

// chaos does something bad to a world, or mends it; it returns what.
func (s *sim) chaos() string {
	n := s.nodes[s.rnd.IntN(2)]
	switch s.rnd.IntN(9) {
	case 0:
		s.cut[n.side] = !s.cut[n.side]
		return fmt.Sprint("cut from ", n.side, " ", s.cut[n.side])
	case 1:
		n.box.Reboot()
		return fmt.Sprint("reboot ", n.side)
	case 2:
		slot := uint8(1 + s.rnd.IntN(2))
		s.relays[slot] = !s.relays[slot]
		return fmt.Sprint("relay ", slot, " ", s.relays[slot])
	case 3:
		slot := uint8(1 + s.rnd.IntN(2))
		n.f.Relay(s.now, slot, s.rnd.IntN(2) == 0, &n.out)
		return fmt.Sprint("link of ", n.side, " to relay ", slot)
	case 4:
		if !n.box.Config().Routed {
			n.roam()
		}
		return fmt.Sprint("roam ", n.side)
	case 5:
		n.f.Wake(s.now, LinkChanged, &n.out)
		return fmt.Sprint("wake ", n.side)
	case 6:
		s.loss = float64(s.rnd.IntN(4)) * 0.1
		return fmt.Sprint("loss ", s.loss)
	case 7:
		n.f.RemovePeer(s.now, 0, &n.out)
		n.using = Way{}
		n.f.SetPeer(s.now, 0, Known{Relays: [4]uint8{2, 1}}, &n.out)
		return fmt.Sprint("forgotten by ", n.side)
	default:
		s.limit = []int{0, 1300, 1450}[s.rnd.IntN(3)]
		return fmt.Sprint("limit ", s.limit)
	}
}

// mend makes everything good again.
func (s *sim) mend() {
	s.cut, s.loss, s.limit, s.relays = [2]bool{}, 0, 0, [3]bool{false, true, true}
	for _, n := range s.nodes {
		for slot := range uint8(2) {
			n.f.Relay(s.now, slot+1, true, &n.out)
		}
		n.flush()
	}
}

// flow reports whether data has come to both within the last second.
func (s *sim) flow() bool {
	for _, n := range s.nodes {
		if len(n.got) == 0 || s.now.Sub(n.got[len(n.got)-1].at) > time.Second {
			return false
		}
	}
	return true
}

var worlds = flag.Int("worlds", 150, "how many random stories are played")

// TestWhateverHappensItEndsWell plays random stories between random NATs. However bad they were, data flows within five seconds of their
// end, and directly in the end where the reference model says that this is possible.
func TestWhateverHappensItEndsWell(t *testing.T) {
	worlds := *worlds
	if testing.Short() {
		worlds = 30
	}
	direct := 0
	for seed := range worlds {
		r := rand.New(rand.NewPCG(uint64(seed), 99))
		a, b := natmodel.Kinds[r.IntN(len(natmodel.Kinds))], natmodel.Kinds[r.IntN(len(natmodel.Kinds))]
		s := newSim(t, uint64(seed), a, b)
		s.bothTalk(time.Duration(r.IntN(3000)) * time.Millisecond)
		var story []string
		for range 3 + r.IntN(12) {
			story = append(story, fmt.Sprintf("%v %s", time.Duration(s.now), s.chaos()))
			for _, n := range s.nodes {
				n.flush()
			}
			s.run(time.Duration(r.IntN(6000))*time.Millisecond, nil)
		}
		s.mend()
		s.run(5*time.Second, nil)
		ok := s.flow()
		want := model(a, b)
		if want != never {
			ok = s.run(4*time.Minute, s.direct) && ok
			direct++
		}
		if !ok || want == never && s.direct() {
			t.Errorf("seed %d, %s x %s: flow %v, direct %v, want %v; %v", seed, a, b, s.flow(), s.direct(), want, story)
			s.tellHistory()
			return
		}
	}
	t.Logf("%d worlds, %d of them direct", worlds, direct)
}
