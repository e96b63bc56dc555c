package wg

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
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

// loses lets a world lose the first messages of a kind.
func (w *world) loses(kind Kind, many int) {
	w.pass = func(_ int, data []byte) bool {
		if KindOf(data) == kind && many > 0 {
			many--
			return false
		}
		return true
	}
}

func TestALostInitiationCostsHalfASecond(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.loses(KindInitiation, 1)
	w.say(0, "hello")
	w.run(repeatAfter + 100*time.Millisecond)
	w.heard(1, "hello")
}

func TestALostResponseCostsHalfASecond(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.loses(KindResponse, 1)
	w.say(0, "hello")
	w.run(repeatAfter + 100*time.Millisecond)
	w.heard(1, "hello")
	w.talk(time.Second)
	if n := len(w.side[1].rx); n != 1 {
		t.Errorf("responder keeps %d sessions, want 1: it has answered one initiation, twice", n)
	}
}

func TestLostInitiationsAreReplaced(t *testing.T) {
	w := newWorld(t, 2, nil)
	w.loses(KindInitiation, 3) // the first is said twice
	w.say(0, "hello")
	w.run(2*(RekeyTimeout+maxJitter) + time.Second)
	w.heard(1, "hello")
	if n := w.sent[0][KindInitiation]; n != 4 {
		t.Errorf("%d initiations, want 4", n)
	}
}

func TestLostResponsesAreReplaced(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.loses(KindResponse, 2)
	w.say(0, "hello")
	w.run(RekeyTimeout + maxJitter + time.Second)
	w.heard(1, "hello")
	w.talk(time.Second)
	if n := len(w.side[1].rx); n != 1 {
		t.Errorf("responder keeps %d sessions, want 1: the unanswered one is replaced", n)
	}
}

// A recording moves nobody, and is worth nothing once the session is in use.
func TestARepeatedInitiationProvesNothing(t *testing.T) {
	w := newWorld(t, 3, nil)
	var recorded []byte
	w.pass = func(_ int, data []byte) bool {
		if KindOf(data) == KindInitiation && recorded == nil {
			recorded = bytes.Clone(data)
		}
		return KindOf(data) != KindResponse
	}
	elsewhere := w.from[0]
	elsewhere.Source += 7
	again := func() (Drop, int) {
		before := w.sent[1][KindResponse]
		w.side[1].out.Reset()
		d := w.side[1].m.Handshake(w.now, elsewhere, recorded, &w.side[1].out)
		for _, e := range w.side[1].out.Events {
			t.Errorf("a recording causes %+v", e)
		}
		w.side[1].flush(w.now)
		return d, w.sent[1][KindResponse] - before
	}
	w.say(0, "hello")
	w.run(100 * time.Millisecond)
	if d, n := again(); d != Taken || n != 1 {
		t.Errorf("%v, %d responses: want the one that is missing", d, n)
	}
	w.pass = nil
	w.run(time.Second)
	w.heard(1, "hello")
	if d, n := again(); d != DropReplayed || n != 0 {
		t.Errorf("%v, %d responses to a recording after the session was used", d, n)
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
	if n := w.side[0].drops[DropCrossed] + w.side[1].drops[DropCrossed]; n != 1 {
		t.Errorf("%d initiations were left unanswered, want one", n)
	}
	if a, b := w.status(0).Current, w.status(1).Current; a.local != b.remote || a.remote != b.local {
		t.Error("the two sides did not settle on one session")
	}
}

func TestNothingIsLostWhenBothBeginAtOnceUnderTraffic(t *testing.T) {
	w := newWorld(t, 4, nil)
	const packets = 20 * 400
	for range packets {
		w.say(0, "a")
		w.say(1, "b")
		w.run(50 * time.Millisecond)
	}
	w.run(time.Second)
	for i, s := range w.side {
		if len(s.got) != packets {
			t.Errorf("side %d received %d of %d packets", i, len(s.got), packets)
		}
	}
	if n := w.sent[0][KindInitiation] + w.sent[1][KindInitiation]; n != 5 {
		t.Errorf("%d initiations, want two at the start and one each two minutes", n)
	}
}

func TestRenewReplacesAUsableSession(t *testing.T) {
	w := newWorld(t, 4, nil)
	w.talk(time.Second)
	w.run(10 * time.Second)
	before := w.status(0).Current
	w.side[0].m.Renew(w.now, w.pub[1], &w.side[0].out)
	w.side[0].flush(w.now)
	w.run(time.Second)
	if after := w.status(0).Current; after == before || after == nil {
		t.Error("the session was not replaced")
	}
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

func TestThePresharedKeyMustMatch(t *testing.T) {
	psk := func(b byte) key.Preshared { return key.RawPreshared([32]byte{b}) }
	give := func(a, b key.Preshared) func(int, *Config, *Peer) {
		return func(side int, _ *Config, peer *Peer) { peer.Preshared = [2]key.Preshared{a, b}[side] }
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

// The side that insists may be the one that is refused. It must not wait for itself for ever.
func TestASideThatInsistsAndIsRefusedStillAnswers(t *testing.T) {
	w := newWorld(t, 12, nil)
	insists := 0
	if bytes.Compare(w.pub[1][:], w.pub[0][:]) < 0 {
		insists = 1
	}
	w.say(insists, "hello")
	w.run(time.Minute)
	w.boot(insists, 99, epoch().Add(-time.Hour), nil) // all that it begins is too old for the other side
	w.boot(1-insists, 98, epoch(), func(_ int, _ *Config, peer *Peer) { peer.NotBefore = TimestampAt(epoch().Add(time.Hour)) })
	for range 60 {
		w.say(0, "from 0")
		w.say(1, "from 1")
		w.run(time.Second)
	}
	if w.side[1-insists].drops[DropReplayed] == 0 {
		t.Error("nothing was refused: the test tests nothing")
	}
	w.heard(0, "from 1")
	w.heard(1, "from 0")
}

func TestTheSameSeedMakesTheSameBytes(t *testing.T) {
	run := func() [32]byte {
		w := newWorld(t, 3, nil)
		w.loss = 0.2
		h := sha256.New()
		w.pass = func(_ int, data []byte) bool { h.Write(data); return true }
		for range 300 {
			w.say(0, "a")
			w.say(1, "b")
			w.run(time.Second)
		}
		return [32]byte(h.Sum(nil))
	}
	if first, second := run(), run(); first != second {
		t.Error("two runs with one seed differ")
	}
}

func TestAMachineThatCannotWorkIsNotMade(t *testing.T) {
	good := Config{Private: testKey(t, 1), Epoch: epoch()}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	_, err := New(Config{MaxPeers: -1, HandshakesPerSecond: -1}, testRandom(1))
	if err == nil {
		t.Fatal("a machine without anything is made")
	}
	for _, want := range []string{"private key", "epoch", "max peers", "handshakes per second"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not tell about the %s", err, want)
		}
	}
	m, out := newMachine(t, 1)
	for _, p := range []Peer{{}, {Public: m.Public()}, {Public: testKey(t, 2).Public(), Keepalive: -1}, {Public: testKey(t, 2).Public(), Keepalive: 20 * time.Hour}} {
		if m.Put(1, p, out) == nil || m.Peers() != 0 {
			t.Errorf("peer %+v is taken", p)
		}
	}
}
