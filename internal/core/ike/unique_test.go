package ike

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// forget has side a begin anew, as after a restart; its old self is left behind.
func (w *world) forget(change func(n int, c *Config, p *Peer)) {
	fresh := newWorld(w.t, 2, change).side[0]
	fresh.w, fresh.next = w, w.side[0].next+100
	w.side[0] = fresh
}

func TestAPeerThatForgotReplacesItsSAs(t *testing.T) {
	w := met(t, 1, nil)
	w.forget(nil)
	w.side[0].initiate()
	w.run(time.Second)
	w.agree(1)
	if e := w.side[1].last(EventDown); e.Reason != Replaced {
		t.Errorf("%+v", e)
	}
}

// INITIAL_CONTACT is believed of the peer that says it, and of nobody else.
func TestAPeerThatForgotReplacesNobodyElse(t *testing.T) {
	w := met(t, 1, nil)
	w.forget(func(n int, _ *Config, p *Peer) {
		if n == 0 {
			p.Local = fqdn("c.example")
		}
	})
	w.side[1].peer.Remote = fqdn("c.example") // under the same name
	w.side[0].initiate()
	w.run(time.Second)
	if b := w.side[1]; len(b.up) != 2 || b.count(EventDown) != 0 {
		t.Errorf("b has %d sessions\n%s", len(b.up), w.story())
	}
}

// who has both sides, or one alone, hold that one session with the other is enough: other implementations may like several.
func who(only int) func(int, *Config, *Peer) {
	return func(n int, _ *Config, p *Peer) { p.Unique = only == 2 || n == only }
}

func TestOfTwoSessionsThatCrossOneStays(t *testing.T) {
	for only := range 3 {
		for seed := range uint64(8) {
			w := newWorld(t, seed, who(only))
			w.side[0].initiate()
			w.side[1].initiate()
			w.run(crossed + time.Second)
			w.settled()
			w.agree(1)
			if x := w.side[0].m.sessions[w.side[0].id()]; only == 2 && x.upAt.Sub(1) > time.Second {
				t.Error("it is a third one")
			}
		}
	}
}

// A peer proves itself anew, but breaks before it makes, and we call it at each moment of that.
func TestACallMeetsAPeerThatBeginsAnew(t *testing.T) {
	for only := range 3 {
		for wait := time.Duration(0); wait < 80*time.Millisecond; wait += 5 * time.Millisecond {
			w := met(t, uint64(wait), who(only))
			b := w.side[1]
			b.do(b.m.Terminate)
			b.initiate()
			w.run(wait)
			if len(w.side[0].live) == 0 { // packets wait
				w.side[0].initiate()
			}
			w.run(crossed + time.Second)
			w.settled()
			w.agree(1)
		}
	}
}

// What INITIAL_CONTACT says may be old when it arrives: sessions that have come up meanwhile are not meant.
func TestInitialContactThatComesLateEndsNothingNew(t *testing.T) {
	for only := range 3 {
		for seed := range uint64(8) {
			w := newWorld(t, seed, who(only))
			lost := false
			w.watch = func(from int, data []byte) bool {
				if h, _ := msg.ParseHeader(data); from == 0 && h.Exchange == msg.IKEAuth && !h.Has(msg.Response) && !lost {
					lost = true
					return false
				}
				return true
			}
			w.side[0].initiate()
			w.run(45 * time.Millisecond) // AUTH has left
			w.side[1].initiate()
			w.run(500 * time.Millisecond)
			if !lost || len(w.side[1].up) != 1 || len(w.side[0].up) != 1 {
				t.Fatalf("there is no session of b's\n%s", w.story())
			}
			for w.side[1].count(EventUp) < 2 && w.step(w.now.Add(5*time.Second)) {
			}
			if w.side[1].count(EventUp) != 2 || w.side[1].count(EventDown) != 0 {
				t.Errorf("b has ended a session that was newer\n%s", w.story())
			}
			w.run(crossed)
			w.settled()
			w.agree(1)
		}
	}
}

// The session that is to stay must have been heard of by the peer, before the other goes.
func TestASessionGoesOnlyForOneThatLives(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t, seed, who(0))
		a, b := w.side[0], w.side[1]
		a.initiate()
		b.initiate()
		w.run(35 * time.Millisecond)
		for b.count(EventUp) < 2 && w.step(w.now.Add(time.Second)) {
		}
		for _, x := range b.m.sessions { // as other implementations do for INITIAL_CONTACT
			if x.began {
				x.down(Event{}, &b.out)
				b.flush()
				break
			}
		}
		w.run(3 * time.Minute)
		if len(a.up) == 0 || len(b.up) == 0 {
			t.Errorf("%d and %d sessions\n%s", len(a.up), len(b.up), w.story())
		}
	}
}
