package path

import (
	"testing"
	"time"
)

// Two who have found more than one way by guessing may take different ones. Each keeps open what the other uses, however seldom.
func TestSlowTrafficLosesNothingAfterGuessing(t *testing.T) {
	for seed := range uint64(200) {
		s := newSim(t, seed, "sym", "port")
		if !s.bothTalk(8 * time.Second) {
			continue // luck decides
		}
		for _, n := range s.nodes {
			n.every = 1100 * time.Millisecond
		}
		s.run(time.Second, nil) // what is on its way
		before := [2]int{s.nodes[0].said - len(s.nodes[1].got), s.nodes[1].said - len(s.nodes[0].got)}
		s.run(40*time.Second, nil)
		for i, n := range s.nodes {
			n.talks = false
			s.run(time.Second, nil)
			if lost := n.said - len(n.other().got) - before[i]; lost > 0 {
				t.Errorf("seed %d: of what node %d says %d are lost", seed, i, lost)
				s.tellHistory()
			}
		}
	}
}

// What the peer has left is closed in the end.
func TestSocketsThatNobodyUsesAreClosed(t *testing.T) {
	for seed := range uint64(60) {
		s := newSim(t, seed, "sym", "port")
		if !s.bothTalk(8 * time.Second) {
			continue
		}
		s.run(5*time.Minute, nil)
		used := map[Way]bool{}
		for _, a := range s.nodes[0].got {
			if s.now.Sub(a.at) < 2*socketIdle+time.Second {
				used[Way{Socket: a.way.Socket}] = true
			}
		}
		used[Way{Socket: s.nodes[0].using.Socket}], used[Way{}] = true, true
		if n := len(s.nodes[0].sockets); n > len(used) {
			t.Errorf("seed %d: %d sockets are open, %d in use", seed, n, len(used))
		}
	}
}
