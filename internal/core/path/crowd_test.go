package path

import (
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/disco"
)

// crowd is many honest peers of one Finder, each 20 ms away, that all speak with it all the time.
type crowd struct {
	f     *Finder
	now   mono.Time
	out   Decisions
	using []Way
	posts []post // under way, in the order of their arrival
	gone  bool   // nothing passes directly
	pings []mono.Time
	talk  mono.Time
}

type post struct {
	at mono.Time
	to Peer
	w  Way
	m  disco.Message
}

func (c *crowd) settle() {
	for _, e := range c.out.Events {
		if e.Kind == Chosen {
			c.using[e.Peer] = e.Way
		}
	}
	for _, s := range c.out.Sends {
		if s.Message.Kind != disco.Ping || s.Way.Direct() && c.gone {
			continue
		}
		c.posts = append(c.posts, post{c.now.Add(40 * time.Millisecond), s.Peer, s.Way, disco.Message{Kind: disco.Pong, ID: s.Message.ID, Size: s.Message.Size}})
	}
	for _, s := range c.out.Sends {
		if s.Way.Direct() {
			c.pings = append(c.pings, c.now)
		}
	}
	c.out.Reset()
}

// run lets time pass, until done says so.
func (c *crowd) run(d time.Duration, done func() bool) time.Duration {
	began := c.now
	for end := c.now.Add(d); c.now < end && !done(); {
		next := min(end, c.talk)
		if at := c.f.Deadline(); !at.IsNever() {
			next = min(next, max(at, c.now))
		}
		if len(c.posts) > 0 {
			next = min(next, c.posts[0].at)
		}
		c.now = next
		if c.now == c.talk {
			for id := range c.using {
				c.f.Sent(c.now, Peer(id), 100, &c.out)
				if !c.gone || c.using[id].Relay != 0 {
					c.f.Heard(c.now, Peer(id), c.using[id], &c.out)
				}
			}
			c.talk = c.now.Add(100 * time.Millisecond)
		}
		for len(c.posts) > 0 && c.posts[0].at <= c.now {
			p := c.posts[0]
			c.posts = c.posts[1:]
			c.f.Message(c.now, p.to, p.w, p.m, &c.out)
		}
		c.f.Tick(c.now, &c.out)
		c.settle()
	}
	return c.now.Sub(began)
}

func (c *crowd) all(is func(Way) bool) func() bool {
	return func() bool {
		for _, w := range c.using {
			if !is(w) {
				return false
			}
		}
		return true
	}
}

// burst is the most that left within a time since the last call.
func (c *crowd) burst(within time.Duration) (most int) {
	for i, j := 0, 0; i < len(c.pings); i++ {
		for c.pings[i].Sub(c.pings[j]) >= within {
			j++
		}
		most = max(most, i-j+1)
	}
	c.pings = nil
	return most
}

// A thousand peers on one socket, all in use: what a sleep, a new address and a router that is away for three seconds cost in datagrams, and
// how soon all are direct again.
func TestAThousandPeersComeBack(t *testing.T) {
	const n = 1000
	c := &crowd{f: finder(true), now: start, using: make([]Way, n), talk: start}
	for id := range Peer(n) {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(id >> 8), byte(id)}), 41641)
		c.f.SetPeer(c.now, id, Known{Candidates: []disco.Candidate{{Addr: at, Kind: disco.ServerReflexive}}, Relays: [4]uint8{1}}, &c.out)
	}
	never := func() bool { return false }
	if took := c.run(20*time.Second, c.all(Way.Direct)); took > 5*time.Second {
		t.Errorf("the first time takes %v", took)
	}
	c.run(20*time.Second, never)
	c.pings = nil
	for _, event := range []struct {
		what   string
		why    Cause
		happen func()
		within time.Duration
	}{
		{"wakes", Resumed, func() {}, time.Second},
		{"moves", LinkChanged, func() {}, time.Second},
		{"loses its router for 3 s, and is not told", 0, func() { c.gone = true; c.run(3*time.Second, never); c.gone = false }, 5 * time.Second},
	} {
		if event.why != 0 {
			c.f.Wake(c.now, event.why, &c.out)
			c.settle()
		}
		event.happen()
		took := c.run(20*time.Second, c.all(Way.Direct))
		c.run(5*time.Second, never)
		burst := c.burst(time.Second)
		t.Logf("%s: all direct after %v; at most %d datagrams in a second", event.what, took, burst)
		if took > event.within || burst > 7*n {
			t.Errorf("%s: all direct after %v, %d datagrams in a second", event.what, took, burst)
		}
	}
}
