package wg

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestTheFirstPacketOpensTheTunnel(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.say(0, "hello")
	w.run(2 * time.Second)
	w.heard(1, "hello")
	w.talk(time.Second)
	if n := w.sent[0][KindInitiation] + w.sent[1][KindInitiation]; n != 1 {
		t.Errorf("%d initiations for one tunnel", n)
	}
}

func TestAnIdleTunnelFallsSilent(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.talk(time.Second)
	w.run(30 * time.Second) // passive keepalives
	before := w.sent
	w.run(24 * time.Hour)
	if w.sent != before {
		t.Errorf("an idle tunnel sent %v, before %v", w.sent, before)
	}
	for i, s := range w.side {
		if !s.m.Deadline().IsNever() {
			t.Errorf("side %d still wants to be woken", i)
		}
		if len(s.rx) != 0 || len(s.tx) != 0 {
			t.Errorf("side %d keeps sessions a day later", i)
		}
	}
	w.talk(time.Second)
}

func TestALostInitiationIsRepeated(t *testing.T) {
	w := newWorld(t, 2, nil)
	lost := 0
	w.pass = func(_ int, data []byte) bool {
		if KindOf(data) == KindInitiation && lost < 2 {
			lost++
			return false
		}
		return true
	}
	w.say(0, "hello")
	w.run(2*(RekeyTimeout+maxJitter) + time.Second)
	w.heard(1, "hello")
}

func TestALostResponseIsAnsweredAgain(t *testing.T) {
	w := newWorld(t, 3, nil)
	lost := 0
	w.pass = func(_ int, data []byte) bool {
		if KindOf(data) == KindResponse && lost == 0 {
			lost++
			return false
		}
		return true
	}
	w.say(0, "hello")
	w.run(RekeyTimeout + maxJitter + time.Second)
	w.heard(1, "hello")
	w.talk(time.Second)
	if n := len(w.side[1].rx); n != 1 {
		t.Errorf("responder keeps %d sessions, want 1: the unanswered one is replaced", n)
	}
}

func TestBothBeginAtOnceAndNobodyWaits(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.say(0, "from 0")
	w.say(1, "from 1")
	w.run(time.Second)
	w.heard(1, "from 0")
	w.heard(0, "from 1")
	w.talk(time.Second)
	for i := range w.side {
		if n := w.sent[i][KindInitiation]; n != 1 {
			t.Errorf("side %d sent %d initiations", i, n)
		}
		if s := w.status(i); s.Attempting {
			t.Errorf("side %d still attempts", i)
		}
	}
	w.run(110 * time.Second)
	w.talk(time.Second)
}

func TestBothBeginAtOnceAndOneResponseIsLost(t *testing.T) {
	for loser := range 2 {
		w := newWorld(t, 4, nil)
		lost := false
		w.pass = func(from int, data []byte) bool {
			if KindOf(data) == KindResponse && from == loser && !lost {
				lost = true
				return false
			}
			return true
		}
		w.say(0, "from 0")
		w.say(1, "from 1")
		w.run(RekeyTimeout + maxJitter + time.Second)
		w.talk(time.Second)
	}
}

func TestKeysAreReplacedUnderTraffic(t *testing.T) {
	w := newWorld(t, 5, nil)
	w.talk(time.Second)
	first := w.status(0).Current
	w.side[0].got, w.side[1].got = nil, nil
	const packets = 20 * 600
	for range packets { // ten minutes, twenty packets a second each way
		w.say(0, "a")
		w.say(1, "b")
		w.run(50 * time.Millisecond)
	}
	w.run(time.Second)
	for i, s := range w.side {
		if len(s.got) != packets {
			t.Errorf("side %d received %d of %d packets across rekeying", i, len(s.got), packets)
		}
		if n := len(s.rx); n < 1 || n > 3 {
			t.Errorf("side %d keeps %d sessions", i, n)
		}
	}
	if w.status(0).Current == first {
		t.Error("the session of ten minutes ago is still in use")
	}
	n := w.sent[0][KindInitiation] + w.sent[1][KindInitiation]
	if n < 5 || n > 7 {
		t.Errorf("%d handshakes in ten minutes, want one in two minutes", n)
	}
}

// A side that only receives must renew too: the sender, being the responder, never does.
func TestAnInitiatorThatOnlyReceivesRenewsAtTheLastMinute(t *testing.T) {
	w := newWorld(t, 6, nil)
	w.say(0, "hello")
	w.run(time.Second)
	w.side[0].got = nil
	const seconds = 400
	for range seconds {
		w.say(1, "data")
		w.run(time.Second)
	}
	if got := len(w.side[0].got); got != seconds {
		t.Errorf("received %d of %d packets", got, seconds)
	}
	if n := w.sent[0][KindInitiation]; n < 3 {
		t.Errorf("the initiator began %d handshakes", n)
	}
}

func TestDataThatIsReceivedIsAcknowledgedByAKeepalive(t *testing.T) {
	w := newWorld(t, 7, nil)
	w.talk(time.Second)
	w.run(25 * time.Second)
	before := w.sent[1][KindTransport]
	w.say(0, "are you there?")
	w.run(KeepaliveTimeout + 100*time.Millisecond)
	if n := w.sent[1][KindTransport] - before; n != 1 {
		t.Fatalf("%d packets came back within KeepaliveTimeout, want one keepalive", n)
	}
	w.run(time.Minute)
	if w.side[0].seen(EventSilent) != 0 {
		t.Error("a peer that acknowledges was suspected")
	}
}

func TestASilentPeerIsSuspectedThenGivenUpAndItsKeysExpire(t *testing.T) {
	w := newWorld(t, 8, nil)
	w.talk(time.Second)
	w.side[0].seen(EventRetired)
	w.cut = true
	w.say(0, "into the void")
	w.run(silence - time.Second)
	if w.side[0].seen(EventSilent) != 0 {
		t.Fatal("suspected too early")
	}
	w.run(time.Second + maxJitter)
	if w.side[0].seen(EventSilent) != 1 || !w.status(0).Attempting {
		t.Fatal("a peer that does not answer data is not suspected")
	}
	w.run(RekeyAttemptTime + RekeyTimeout + maxJitter)
	if w.side[0].seen(EventGaveUp) != 1 || w.status(0).Attempting {
		t.Fatal("the handshake is not given up")
	}
	if n := w.sent[0][KindInitiation]; n < 16 || n > 20 {
		t.Errorf("%d initiations until giving up, want about 18", n)
	}
	w.run(RejectAfterTime)
	if w.side[0].seen(EventRetired) != 1 || w.status(0).Current != nil || len(w.side[0].rx) != 0 {
		t.Error("keys outlive RejectAfterTime")
	}
	before := w.sent
	w.run(time.Hour)
	if w.sent != before {
		t.Error("keeps calling a peer that nobody wishes to reach")
	}
	w.cut = false
	w.talk(2 * time.Second)
}

func TestWishesKeepAnAttemptAlive(t *testing.T) {
	w := newWorld(t, 9, nil)
	w.cut = true
	for range 300 {
		w.say(0, "is it up?")
		w.run(time.Second)
	}
	if w.side[0].seen(EventGaveUp) != 0 {
		t.Error("gave up although somebody wished to send all the time")
	}
	w.cut = false
	w.run(RekeyTimeout + maxJitter + time.Second)
	w.heard(1, "is it up?")
}

func TestAPeerThatRebootedIsReachedAgain(t *testing.T) {
	w := newWorld(t, 10, nil)
	w.talk(time.Second)
	w.run(time.Minute)
	w.boot(1, 99, epoch(), nil) // forgets everything but its key
	w.say(0, "lost with the old keys")
	w.run(silence + maxJitter + time.Second)
	w.talk(time.Second)
}

func TestARebootedPeerThatSpeaksFirstIsHeardAtOnce(t *testing.T) {
	w := newWorld(t, 11, nil)
	w.say(0, "hello")
	w.run(time.Minute)
	w.boot(0, 99, epoch(), nil)
	w.say(0, "I am back")
	w.run(time.Second)
	w.heard(1, "I am back")
	w.talk(time.Second)
}

// A host without a clock that starts in the past is refused, until its clock has caught up or it is told better: this is
// what Config.Epoch warns of.
func TestARebootIntoThePastIsRefused(t *testing.T) {
	w := newWorld(t, 12, nil)
	w.say(0, "hello")
	w.run(time.Minute)
	w.boot(0, 99, epoch().Add(-time.Hour), nil)
	w.say(0, "yesterday")
	w.run(30 * time.Second)
	if w.side[1].drops[DropReplayed] == 0 {
		t.Fatal("an initiation from before the last one was taken")
	}
	w.boot(0, 100, epoch().Add(time.Hour), nil)
	w.say(0, "today")
	w.run(time.Second)
	w.heard(1, "today")
}

func TestAMonotonicClockThatRunsBackwardsStandsStill(t *testing.T) {
	w := newWorld(t, 13, nil)
	w.talk(time.Second)
	s := w.side[0]
	before := s.m.Deadline()
	s.tick(w.now.Add(-time.Hour))
	s.m.Wake(w.now.Add(-2*time.Hour), w.pub[1], &s.out)
	s.write(w.now.Add(-time.Hour), w.pub[1], []byte("from the past"))
	w.run(time.Second)
	w.heard(1, "from the past")
	if d := s.m.Deadline(); d.IsNever() || d < w.now.Add(-time.Second) {
		t.Errorf("deadline %v, before %v", d, before)
	}
	for range 300 {
		w.say(0, "on")
		w.say(1, "and on")
		w.run(time.Second)
	}
	w.talk(time.Second)
}

func TestARecordedInitiationIsRefused(t *testing.T) {
	w := newWorld(t, 14, nil)
	var recorded [][]byte
	w.pass = func(from int, data []byte) bool {
		if from == 0 && KindOf(data) == KindInitiation {
			recorded = append(recorded, append([]byte(nil), data...))
		}
		return true
	}
	w.say(0, "hello")
	w.run(time.Minute)
	before := w.sent[1]
	evil := Origin{Source: 66, Addr: w.from[0].Addr}
	if drop := w.side[1].read(w.now, evil, recorded[0]); drop != DropReplayed {
		t.Errorf("a recorded initiation is %v", drop)
	}
	if w.sent[1] != before {
		t.Error("a recorded initiation was answered")
	}
	for _, e := range w.side[1].events {
		if e.Kind == EventHeard && e.Source == evil.Source {
			t.Error("a recorded initiation moved the peer")
		}
	}
}

func TestOnePeerCannotMakeUsWorkForEver(t *testing.T) {
	w := newWorld(t, 15, nil)
	w.talk(time.Second)
	p := w.side[0].m.peers[w.pub[1]]
	taken := 0
	for range 1000 { // one second of it
		w.now = w.now.Add(time.Millisecond)
		msg := make(initiation, initiationSize)
		at := TimestampAt(epoch().Add(time.Duration(w.now) + time.Duration(taken+1)*time.Second))
		if _, ok := w.side[0].m.id.initiate(msg, w.pub[1], p.shared, 1, at, testRandom(uint64(w.now))); !ok {
			t.Fatal("cannot initiate")
		}
		p.jar.stamp(w.now, msg, w.pub[1])
		if w.side[1].read(w.now, w.from[0], msg) == Taken {
			taken++
		}
	}
	if taken < 45 || taken > 51 {
		t.Errorf("%d initiations of one peer were answered in a second, want 50", taken)
	}
}

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
	if w.side[1].drops[DropUnknownPeer] != 1 || w.side[1].m.Peers() != 1 {
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
	if w.side[1].drops[DropTooManyPeers] != 1 || w.side[1].m.Peers() != 1 {
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

func TestPersistentKeepaliveHoldsATunnelOpen(t *testing.T) {
	w := newWorld(t, 19, func(side int, _ *Config, peer *Peer) {
		if side == 0 {
			peer.Keepalive = 25 * time.Second
		}
	})
	w.run(time.Hour) // nobody ever says a thing
	if n := w.sent[0][KindTransport]; n < 140 || n > 180 {
		t.Errorf("%d keepalives in an hour, want about 144 and one a handshake", n)
	}
	if w.status(1).Current == nil {
		t.Error("the tunnel is not up")
	}
	w.cut = true
	w.run(time.Hour)
	w.cut = false
	w.run(25*time.Second + RekeyTimeout + maxJitter)
	if !w.status(1).Current.Usable(w.now) {
		t.Error("the tunnel did not come back after an hour without a link")
	}
}

func TestThePresharedKeyMustMatch(t *testing.T) {
	psk := func(b byte) Preshared { return NewPreshared([32]byte{b}) }
	give := func(a, b Preshared) func(int, *Config, *Peer) {
		return func(side int, _ *Config, peer *Peer) { peer.Preshared = [2]Preshared{a, b}[side] }
	}
	w := newWorld(t, 20, give(psk(1), psk(1)))
	w.talk(time.Second)

	w = newWorld(t, 20, give(psk(1), psk(2)))
	w.say(0, "never")
	w.run(time.Minute)
	if len(w.side[1].got) != 0 || w.side[0].drops[DropForged] == 0 {
		t.Error("a tunnel with two different preshared keys came up")
	}
}

func TestARemovedPeerLeavesNothingBehind(t *testing.T) {
	w := newWorld(t, 21, nil)
	w.talk(time.Second)
	s := w.side[0]
	s.m.Remove(w.pub[1], &s.out)
	s.flush(w.now)
	if len(s.rx)+len(s.tx)+len(s.m.indices)+len(s.m.peers)+len(s.m.schedule) != 0 {
		t.Errorf("left behind: %d sessions, %d indices, %d peers, %d deadlines", len(s.rx), len(s.m.indices), len(s.m.peers), len(s.m.schedule))
	}
	s.m.Remove(w.pub[1], &s.out)
	s.m.Wake(w.now, w.pub[1], &s.out)
	w.say(1, "anybody there?")
	w.run(time.Minute)
	if s.drops[DropUnknownPeer] == 0 {
		t.Error("a removed peer was answered")
	}
}

func TestASessionNearItsLastCounterIsReplaced(t *testing.T) {
	w := newWorld(t, 22, nil)
	w.talk(time.Second)
	old := w.side[1].tx[w.pub[0]] // the responder, which by age would never renew
	if old.initiator {
		t.Fatal("side 1 began")
	}
	old.counter.Store(RekeyAfterMessages - 1)
	w.run(6 * time.Second)
	w.say(1, "lost: no honest receiver believes this counter")
	w.run(time.Second)
	if now := w.side[1].tx[w.pub[0]]; now == old {
		t.Fatal("a session that sealed RekeyAfterMessages was not replaced")
	}
	w.talk(time.Second)

	s := w.side[1].tx[w.pub[0]]
	s.counter.Store(RejectAfterMessages - 3)
	if first, ok := s.Reserve(w.now, 4); ok {
		t.Errorf("Reserve gave 4 counters from %d", first)
	}
	if first, ok := s.Reserve(w.now, 3); !ok || first != RejectAfterMessages-3 {
		t.Errorf("Reserve = %d, %v", first, ok)
	}
	if _, ok := s.Reserve(w.now, 1); ok || s.Usable(w.now) {
		t.Error("a session seals beyond RejectAfterMessages")
	}
	w.run(6 * time.Second)
	w.say(1, "with new keys")
	w.run(time.Second)
	w.heard(0, "with new keys")
}

func TestAReportThatIsLostIsRepeated(t *testing.T) {
	w := newWorld(t, 23, nil)
	w.say(0, "hello")
	w.side[1].deaf = true // the engine's queue to the owner is full
	w.run(time.Second)
	if w.side[1].tx[w.pub[0]] != nil {
		t.Fatal("the responder sends although nobody told it that it may")
	}
	w.side[1].deaf = false
	w.say(0, "again")
	w.run(time.Second)
	w.talk(time.Second)
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
