package engine

import (
	"sync"
	"time"

	core "github.com/cvlan/cvlan/internal/core/ike"
)

// IKEEvents is how many events of IKE are remembered.
const IKEEvents = 1024

// strangersEvery is how often at most a stranger's refusal is remembered, so that they push nothing else out.
const strangersEvery = time.Second

// IKEEvent is something that IKE did.
type IKEEvent struct {
	At     time.Time
	Missed uint64 // refusals since the one before, which were not remembered
	Name   string // of the peer, as the map last called it; "": it never did
	core.Event
}

// journal remembers what IKE did. The tunnel's owner writes it, anybody may read.
type journal struct {
	mu     sync.Mutex
	ring   []IKEEvent
	count  uint64 // of all that were ever written
	last   time.Time
	missed uint64
}

// tell writes an event down, without keys, of a peer that the map calls by a name; "": it does not, or does no more. What comes with every message is none.
func (j *journal) tell(e core.Event, name string) {
	if e.Kind == core.EventHeard {
		return
	}
	e.Child.KeyIn, e.Child.KeyOut = nil, nil
	j.mu.Lock()
	defer j.mu.Unlock()
	x := IKEEvent{At: time.Now(), Name: name, Event: e}
	if e.Kind == core.EventRefused {
		if x.At.Sub(j.last) < strangersEvery {
			j.missed++
			return
		}
		j.last, x.Missed, j.missed = x.At, j.missed, 0
	}
	if name == "" && e.Peer != "" {
		x.Name = j.called(e.Peer)
	}
	if j.count < IKEEvents {
		j.ring = append(j.ring, x)
	} else {
		j.ring[j.count%IKEEvents] = x
	}
	j.count++
}

// called is how a peer was called last.
func (j *journal) called(peer string) string {
	for n := j.count; n > 0 && j.count-n < IKEEvents; n-- {
		if x := &j.ring[(n-1)%IKEEvents]; x.Peer == peer && x.Name != "" {
			return x.Name
		}
	}
	return ""
}

// since returns what was written since, oldest first, as far as it is remembered, and what to ask with next. It begins with 0.
func (j *journal) since(n uint64) (all []IKEEvent, next uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n > j.count || j.count-n > IKEEvents {
		n = max(j.count, IKEEvents) - IKEEvents
	}
	for ; n < j.count; n++ {
		all = append(all, j.ring[n%IKEEvents])
	}
	return all, j.count
}
