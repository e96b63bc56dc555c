package server

import (
	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/sys/sock"
)

const (
	// joinLook is how many trains are looked through for such that go to the same place.
	joinLook = 64
	// joinMost is how large datagrams may be that are copied to be sent as one train. Copying costs less than a tenth of what the system
	// takes for a datagram of its own.
	joinMost = 2048
)

// going is what is to be sent.
type going struct {
	trains []sock.Train
	to     []*forward.Seat // of each; nil: an answer
	room   [joinLook * joinMost]byte
}

func (g *going) reset() { g.trains, g.to = g.trains[:0], g.to[:0] }

func (g *going) add(t sock.Train, to *forward.Seat) {
	g.trains, g.to = append(g.trains, t), append(g.to, to)
}

// join makes one train of datagrams of one size that came apart and go to the same place. Their order is kept.
func (g *going) join() {
	n := len(g.trains)
	if n < 2 || n > joinLook {
		return
	}
	used, kept := 0, 0
	for i := range n {
		if len(g.trains[i].Data) == 0 {
			continue // has been joined to one before
		}
		if g.single(i) {
			used += g.gather(i, g.room[used:])
		}
		g.trains[kept], g.to[kept] = g.trains[i], g.to[i]
		kept++
	}
	g.trains, g.to = g.trains[:kept], g.to[:kept]
}

// single reports whether train i is one datagram that may be joined to others.
func (g *going) single(i int) bool {
	t := &g.trains[i]
	return g.to[i] != nil && len(t.Data) == t.Segment && t.Segment <= joinMost
}

// gather copies train i and those behind it that continue it into room, and returns how much of that is used. It stops where a datagram for the same
// place has another size: what comes behind that must not overtake it.
func (g *going) gather(i int, room []byte) (used int) {
	first := &g.trains[i]
	count := 1
	for j := i + 1; j < len(g.trains); j++ {
		if g.to[j] != g.to[i] || len(g.trains[j].Data) == 0 {
			continue
		}
		if !g.single(j) || g.trains[j].Segment != first.Segment || (count+1)*first.Segment > sock.MaxTrain {
			break
		}
		if used == 0 {
			used = copy(room, first.Data)
		}
		used += copy(room[used:], g.trains[j].Data)
		g.trains[j].Data = nil
		count++
	}
	if used > 0 {
		first.Data = room[:used:used]
	}
	return used
}
