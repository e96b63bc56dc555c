package wg

import (
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

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
	if n := len(w.side[0].m.indices); n != 0 {
		t.Errorf("%d indices are still taken", n)
	}
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

func TestAMonotonicClockThatRunsBackwardsStandsStill(t *testing.T) {
	w := newWorld(t, 13, nil)
	w.talk(time.Second)
	s := w.side[0]
	before, clock := s.m.Deadline(), s.m.now
	s.tick(w.now.Add(-time.Hour))
	if s.m.now < clock {
		t.Error("the machine went back in time")
	}
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

// The peer sent twice, so should the keepalive get lost there is another, before the peer loses patience.
func TestAKeepaliveThatMayBeMissedIsRepeated(t *testing.T) {
	w := newWorld(t, 7, nil)
	w.talk(time.Second)
	w.run(25 * time.Second)
	before := w.sent[1][KindTransport]
	w.say(0, "once")
	w.run(5 * time.Second)
	w.say(0, "twice")
	w.run(2*KeepaliveTimeout - 5*time.Second + 100*time.Millisecond)
	if n := w.sent[1][KindTransport] - before; n != 2 {
		t.Errorf("%d keepalives, want 2", n)
	}
	w.run(time.Minute)
	if n := w.sent[1][KindTransport] - before; n != 2 {
		t.Errorf("%d keepalives after a minute of silence, want 2", n)
	}
}

func TestHandshakesWithOnePeerKeepTheirDistance(t *testing.T) {
	w := newWorld(t, 7, nil)
	for range 200 { // twenty seconds
		w.side[0].m.Renew(w.now, w.pub[1], &w.side[0].out)
		w.side[0].flush(w.now)
		w.run(100 * time.Millisecond)
	}
	if n := w.sent[0][KindInitiation]; n < 4 || n > 5 {
		t.Errorf("%d initiations in twenty seconds, want one in five seconds", n)
	}
}

func TestAnInitiatorWithNothingToSayConfirmsTheSession(t *testing.T) {
	w := newWorld(t, 7, nil)
	w.side[0].m.Renew(w.now, w.pub[1], &w.side[0].out)
	w.side[0].flush(w.now)
	w.run(time.Second)
	for i, s := range w.side {
		if w.status(i).Current == nil {
			t.Errorf("side %d has no session", i)
		}
		if s.m.peers[w.pub[1-i]].traffic.rekeying.Load() {
			t.Errorf("side %d believes that a handshake is under way", i)
		}
	}
}

func TestAgeMakesASessionStaleOnlyForItsInitiator(t *testing.T) {
	const born = mono.Time(time.Hour)
	for _, c := range []struct {
		age       time.Duration
		sent, got bool // stale after sending, after receiving
	}{{RekeyAfterTime - 1, false, false}, {RekeyAfterTime, true, false}, {lastMinute - 1, true, false}, {lastMinute, true, true}} {
		a, b := twoSessions(born)
		a.Sent(born.Add(c.age), true)
		b.Sent(born.Add(c.age), true)
		if a.stale.Load() != c.sent || b.stale.Load() {
			t.Errorf("%v after birth, having sent: %v and %v", c.age, a.stale.Load(), b.stale.Load())
		}
		a, b = twoSessions(born)
		a.Received(born.Add(c.age), 1, true)
		b.Received(born.Add(c.age), 1, true)
		if a.stale.Load() != c.got || b.stale.Load() {
			t.Errorf("%v after birth, having received: %v and %v", c.age, a.stale.Load(), b.stale.Load())
		}
	}
}
