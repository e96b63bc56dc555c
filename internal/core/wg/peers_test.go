package wg

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestAStrangerThatLookupKnowsIsServed(t *testing.T) {
	friend := testKey(t, 0).Public()
	asked := 0
	w := newWorld(t, 16, func(side int, cfg *Config, _ *Peer) {
		if side == 1 {
			cfg.Lookup = func(p key.WGPublic) (Peer, bool) {
				asked++
				return Peer{Public: p}, p == friend
			}
		}
	})
	if n := w.side[1].m.Peers(); n != 0 {
		t.Fatalf("%d peers before anybody spoke", n)
	}
	w.talk(time.Second)
	if asked != 1 || w.side[1].seen(EventPeerAdded) != 1 || w.side[1].m.Peers() != 1 {
		t.Errorf("asked %d times, %d peers", asked, w.side[1].m.Peers())
	}

	w.keys[0], w.pub[0] = testKey(t, 5), testKey(t, 5).Public()
	w.boot(0, 5, epoch(), nil)
	w.say(0, "you do not know me")
	w.run(time.Second)
	if w.side[1].drops[DropUnknownPeer] != 2 || w.side[1].m.Peers() != 1 {
		t.Error("a stranger that Lookup does not know was served")
	}
}

// Anybody can write the public key of a friend into an initiation, but only the friend can seal its timestamp.
func TestAStrangerThatBorrowsAFriendsNameIsNotAdded(t *testing.T) {
	friend := testKey(t, 0).Public()
	w := newWorld(t, 16, func(side int, cfg *Config, _ *Peer) {
		if side == 1 {
			cfg.Lookup = func(p key.WGPublic) (Peer, bool) { return Peer{Public: p}, true }
		}
	})
	liar := testKey(t, 5)
	id, err := newIdentity(liar)
	if err != nil {
		t.Fatal(err)
	}
	shared, _ := agree(id.private, w.pub[1][:])
	id.public = friend
	msg := make(initiation, initiationSize)
	id.initiate(msg, w.pub[1], &shared, 1, TimestampAt(epoch()), testRandom(1))
	new(jar).stamp(w.now, msg, w.pub[1])
	if drop := w.side[1].read(w.now, w.from[0], msg); drop != DropForged || w.side[1].m.Peers() != 0 {
		t.Errorf("a borrowed name is %v and left %d peers", drop, w.side[1].m.Peers())
	}
}

func TestTheBoundOnPeersHoldsForStrangersAndForPut(t *testing.T) {
	w := newWorld(t, 16, func(side int, cfg *Config, _ *Peer) {
		if side == 1 {
			cfg.MaxPeers = 1
			cfg.Lookup = func(p key.WGPublic) (Peer, bool) { return Peer{Public: p}, true }
		}
	})
	w.talk(time.Second)
	w.keys[0], w.pub[0] = testKey(t, 5), testKey(t, 5).Public()
	w.boot(0, 5, epoch(), nil)
	w.say(0, "one too many")
	w.run(time.Second)
	if w.side[1].drops[DropTooManyPeers] != 2 || w.side[1].m.Peers() != 1 {
		t.Error("a stranger beyond the bound was served")
	}
	if err := w.side[1].m.Put(w.now, Peer{Public: w.pub[0]}, &w.side[1].out); err == nil {
		t.Error("Put beyond the bound succeeds")
	}
}

func TestRoamingIsReportedNotFollowed(t *testing.T) {
	w := newWorld(t, 17, nil)
	w.talk(time.Second)
	s := w.side[1]
	s.seen(EventHeard)
	w.from[0].Source = 7
	w.say(0, "from elsewhere")
	w.run(time.Second)
	var heard []Source
	for _, e := range s.events {
		if e.Kind == EventHeard && e.Peer == w.pub[0] {
			heard = append(heard, e.Source)
		}
	}
	if len(heard) != 1 || heard[0] != 7 {
		t.Errorf("sources heard: %v, want [7]", heard)
	}
	w.say(0, "again")
	w.run(time.Second)
	if s.seen(EventHeard) != 1 {
		t.Error("the same source was reported twice")
	}
}

func TestForgedPacketsMoveNobody(t *testing.T) {
	w := newWorld(t, 18, nil)
	w.talk(time.Second)
	s := w.side[1]
	s.seen(EventHeard)
	var packet []byte
	w.pass = func(_ int, data []byte) bool { packet = append([]byte(nil), data...); return false }
	w.say(0, "to be forged")
	packet[len(packet)-1] ^= 1
	if drop := s.read(w.now, Origin{Source: 66}, packet); drop != DropForged {
		t.Errorf("a forged packet is %v", drop)
	}
	if s.seen(EventHeard) != 0 {
		t.Error("a forged packet moved the peer")
	}
	packet[len(packet)-1] ^= 1
	if drop := s.read(w.now, Origin{Source: 66}, packet); drop != Taken {
		t.Errorf("the honest packet after it is %v", drop)
	}
	if drop := s.read(w.now, Origin{Source: 66}, packet); drop != DropReplayed {
		t.Errorf("the same packet again is %v", drop)
	}
}

func TestARemovedPeerLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, 21, nil)
	w.talk(time.Second)
	s := w.side[0]
	s.m.Remove(w.pub[1], &s.out)
	s.flush(w.now)
	if len(s.rx)+len(s.tx)+len(s.m.indices)+len(s.m.peers)+s.m.schedule.Len() != 0 {
		t.Errorf("left behind: %d sessions, %d indices, %d peers, %d deadlines", len(s.rx), len(s.m.indices), len(s.m.peers), s.m.schedule.Len())
	}
	s.m.Remove(w.pub[1], &s.out)
	s.m.Wake(w.now, w.pub[1], &s.out)
	w.say(1, "anybody there?")
	w.run(time.Minute)
	if s.drops[DropUnknownPeer] == 0 {
		t.Error("a removed peer was answered")
	}
}

func TestATickServesABoundedNumberOfPeers(t *testing.T) {
	s := newShell(t, Config{Private: testKey(t, 0)}, 1)
	now := mono.Time(time.Hour)
	const n = peersPerTick*2 + 10
	for i := range n {
		p := Peer{Keepalive: time.Second}
		p.Public[0], p.Public[1], p.Public[2] = byte(i), byte(i>>8), 1 // any point will do
		if err := s.m.Put(now, p, &s.out); err != nil {
			t.Fatal(err)
		}
	}
	s.out.Reset()
	now = now.Add(RekeyTimeout + maxJitter)
	for i, want := range []int{peersPerTick, peersPerTick} {
		s.m.Tick(now, &s.out)
		if got := len(s.out.Transmits); got > want {
			t.Errorf("tick %d made %d datagrams, want at most %d", i, got, want)
		}
		if d := s.m.Deadline(); d > now {
			t.Errorf("after tick %d the machine says that nothing is due", i)
		}
		s.out.Reset()
	}
	s.m.Tick(now, &s.out)
	if d := s.m.Deadline(); d <= now {
		t.Error("something is still due after everybody was served")
	}
}
