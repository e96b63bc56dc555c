package esp

import (
	"slices"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
)

// Who answered does not seal with a new pair before it has heard it used, which the first packet of the other side sees to.
func TestAnsweringSideWaitsToHearThePairUsed(t *testing.T) {
	w := newWorld(t, 1)
	asked, answered := w.agree(0)
	if s := w.side[1]; s.sealer != nil || len(s.pairs) != 1 {
		t.Fatal("the answering side seals before it has heard anything")
	}
	if s := w.side[0]; s.sealer == nil || s.sealer.Local() != asked || s.sealer.Remote() != answered {
		t.Fatal("who asked does not seal at once")
	}
	w.pass(w.delay) // the dummy arrives
	if s := w.side[1]; s.sealer == nil || s.sealer.Local() != answered {
		t.Fatal("the answering side has heard the pair used, and does not use it")
	}
	w.says(0, 1)
	w.says(1, 2)
	w.pass(time.Second)
	if w.side[1].taken[1] != 1 || w.side[0].taken[2] != 1 {
		t.Error("the packets have not arrived")
	}
}

// Its packets do not wait for ever for a peer that has nothing to say, and whose dummy was lost.
func TestAnsweringSideDoesNotWaitForEver(t *testing.T) {
	w := newWorld(t, 1)
	w.loss = 1
	w.agree(0)
	w.pass(haste)
	if w.side[1].sealer == nil {
		t.Error("it waits for ever")
	}
	first := w.side[1].sealer
	w.agree(0)
	w.pass(patience / 2)
	if w.side[1].sealer != first {
		t.Error("with a pair that works it does not wait")
	}
	w.pass(patience / 2)
	if w.side[1].sealer == first {
		t.Error("with a pair that works it waits for ever")
	}
}

// Both sides talk, packets overtake each other by more than a change of keys takes, and nothing is lost, nor comes twice.
func TestChangeOfKeysUnderTrafficLosesNothing(t *testing.T) {
	for seed := range uint64(40) {
		w := newWorld(t, seed)
		w.jitter = 60 * time.Millisecond
		mine, theirs := w.agree(0)
		w.pass(time.Second)
		n := 0
		talk := func(d time.Duration) {
			for end := w.now.Add(d); w.now < end; n++ {
				w.says(0, n)
				w.says(1, n)
				w.pass(time.Millisecond)
			}
		}
		for range 5 {
			talk(100 * time.Millisecond)
			asker := w.rnd.IntN(2)
			next, nexts := w.agree(asker)
			if asker == 1 {
				next, nexts = nexts, next
			}
			talk(time.Duration(w.rnd.IntN(100)) * time.Millisecond)
			w.delete(0, mine, theirs)
			mine, theirs = next, nexts
		}
		talk(100 * time.Millisecond)
		w.pass(2 * Linger)
		for i, s := range w.side {
			if len(s.taken) != n || s.lost != 0 || s.dropped != [drops]int{} {
				t.Fatalf("seed %d, side %d: %d of %d packets, %d lost, drops %v", seed, i, len(s.taken), n, s.lost, s.dropped)
			}
			if len(s.pairs) != 1 {
				t.Errorf("seed %d: %d pairs are left", seed, len(s.pairs))
			}
		}
	}
}

// Both sides ask at once, and each ends the old pair. Two new pairs live side by side until one is deleted.
func TestPairsThatCrossEachOtherCarryOn(t *testing.T) {
	w := newWorld(t, 1)
	mine, theirs := w.agree(0)
	w.pass(time.Second)
	a, b := w.agree(0)
	c, d := w.agree(1)
	w.delete(0, mine, theirs)
	w.delete(1, theirs, mine)
	w.pass(time.Second)
	for i := range 100 {
		w.says(0, i)
		w.says(1, i)
	}
	w.pass(time.Second)
	w.delete(0, a, b)
	for i := range 100 {
		w.says(0, 100+i)
		w.says(1, 100+i)
	}
	w.pass(time.Minute)
	for i, s := range w.side {
		if len(s.taken) != 200 || len(s.pairs) != 1 {
			t.Errorf("side %d: %d packets, %d pairs", i, len(s.taken), len(s.pairs))
		}
	}
	if w.side[1].sealer.Local() != c || w.side[0].sealer.Local() != d {
		t.Error("another pair is left")
	}
}

func TestDeletedPairLingers(t *testing.T) {
	w := newWorld(t, 1)
	mine, _ := w.agree(0)
	w.pass(time.Second)
	s := w.side[0]
	s.m.Delete(w.now, mine, &s.out)
	w.act(0)
	if s.sealer.Usable(w.now) {
		t.Error("a deleted pair seals")
	}
	if _, ok := s.sealer.Reserve(w.now, 1); ok {
		t.Error("a deleted pair hands out numbers")
	}
	w.says(1, 1)
	w.pass(Linger - time.Millisecond)
	if s.taken[1] != 1 {
		t.Error("what was under way is lost")
	}
	w.pass(time.Millisecond)
	if len(s.pairs) != 0 || s.sealer != nil || w.said(0, EventRetired) != 1 || w.said(0, EventExpired) != 0 {
		t.Error("it lingers for ever")
	}
}

func life(soft, hard Limit) func(*Keys) {
	return func(k *Keys) { k.Life = Life{soft, hard} }
}

// Age: an hour less jitter until another is wanted, which is said again; then the end, and nothing is opened any more.
// Keys may change faster than pairs retire: what lingers makes room, the oldest first, and the newest pair is always taken.
func TestLingeringPairsMakeRoom(t *testing.T) {
	w := newWorld(t, 1)
	for range 5 * MaxPairs {
		w.agree(0)
		w.pass(2 * w.delay)
		for n, s := range w.side {
			all := s.m.Status(names[n])
			if last := all[len(all)-1]; len(all) > MaxPairs || last.Ending || !last.Sealing {
				t.Fatalf("%d pairs, the last is %+v", len(all), last)
			}
			for _, old := range all[:len(all)-1] {
				s.m.Delete(w.now, old.Local(), &s.out)
			}
			w.act(n)
		}
	}
	for n, s := range w.side {
		if all := s.m.Status(names[n]); len(all) != MaxPairs {
			t.Errorf("%d pairs", len(all))
		}
	}
}

func TestPairAgesAndEnds(t *testing.T) {
	w := newWorld(t, 1)
	w.agree(0)
	w.pass(softTime * 7 / 8)
	if n := w.said(0, EventDue) + w.said(1, EventDue); n != 0 && w.side[0].sealer.due > w.now {
		t.Errorf("due %d times too early", n)
	}
	w.pass(softTime / 8)
	if w.said(0, EventDue) == 0 || w.said(1, EventDue) == 0 {
		t.Error("nobody is told that another is due")
	}
	before := w.said(0, EventDue)
	w.pass(10 * dueAgain)
	if n := w.said(0, EventDue) - before; n != 10 {
		t.Errorf("it is said %d times again", n)
	}
	p := w.side[1].sealer
	late := sealed(w.side[0].sealer, 100, sample4(40))
	w.pass(hardTime - softTime)
	if _, why := p.Open(w.now, late); why != DropExpired {
		t.Errorf("an expired pair says %v", why)
	}
	for i, s := range w.side {
		if len(s.pairs) != 0 || s.sealer != nil || w.said(i, EventExpired) != 1 || w.said(i, EventRetired) != 1 {
			t.Errorf("side %d: %d pairs", i, len(s.pairs))
		}
	}
	w.pass(24 * time.Hour)
}

func TestSuccessorSilencesTheCall(t *testing.T) {
	w := newWorld(t, 1)
	w.agree(0)
	w.pass(softTime)
	w.agree(0)
	before := w.said(0, EventDue)
	w.pass(softTime / 2)
	if n := w.said(0, EventDue) - before; n != 0 {
		t.Errorf("another is due %d times, though there is one", n)
	}
}

func TestWornPairIsDueAndThenRefuses(t *testing.T) {
	for name, limits := range map[string]func(*Keys){
		"packets": life(Limit{Packets: 100}, Limit{Packets: 200}),
		"bytes":   life(Limit{Bytes: 100 * 40}, Limit{Bytes: 200 * 40}),
	} {
		w := newWorld(t, 1)
		w.agree(0, limits)
		w.pass(time.Second)
		for i := range 99 {
			w.says(0, i)
		}
		w.pass(time.Second)
		w.says(0, 99)
		w.says(0, 100)
		w.pass(time.Second)
		if w.said(0, EventDue) == 0 || w.said(1, EventDue) == 0 {
			t.Errorf("%s: the soft limit is told %d and %d times", name, w.said(0, EventDue), w.said(1, EventDue))
		}
		for i := range 200 {
			w.says(0, 101+i)
		}
		w.pass(time.Minute)
		if s := w.side[0]; s.lost < 100 || s.lost > 103 || w.said(0, EventExpired) != 1 {
			t.Errorf("%s: %d were refused, %d ends", name, s.lost, w.said(0, EventExpired))
		}
		if n := len(w.side[1].taken); n < 198 || n > 200 {
			t.Errorf("%s: %d have arrived", name, n)
		}
	}
}

// Without extended numbers an SA has 2^32-1 packets, and then none.
func TestShortNumbersAreExhausted(t *testing.T) {
	a, b := twins(t, AES256GCM, false)
	a.next.Store(shortRange - 2)
	if _, ok := a.Reserve(noon, 4); ok {
		t.Error("more numbers than are left")
	}
	first, ok := a.Reserve(noon, 3)
	if !ok || first != shortRange-2 || a.Usable(noon) {
		t.Errorf("the last numbers begin at %d", first)
	}
	if _, ok := a.Reserve(noon, 1); ok {
		t.Error("a number after the last")
	}
	if _, why := b.Open(noon, sealed(a, shortRange, sample4(40))); why != Taken {
		t.Error(why)
	}
	if !a.Sent(noon) {
		t.Error("its end is told nobody")
	}
}

func TestOneWayTrafficIsSuspicious(t *testing.T) {
	w := newWorld(t, 1)
	w.agree(0)
	w.pass(time.Second)
	for i := range 600 {
		w.says(0, i)
		w.pass(100 * time.Millisecond)
	}
	if n := w.said(0, EventSilent); n < 3 || n > 4 || w.said(1, EventSilent) != 0 {
		t.Errorf("a minute of silence is told %d times, and %d to who is silent", n, w.said(1, EventSilent))
	}
	w.pass(time.Minute)
	before := w.said(0, EventSilent)
	w.pass(time.Hour / 2)
	if w.said(0, EventSilent) != before {
		t.Error("a tunnel at rest is suspicious")
	}
}

func TestKeepaliveKeepsWhatIsQuietOpen(t *testing.T) {
	w := newWorld(t, 1)
	if err := w.side[0].m.Put(w.now, names[0], 25*time.Second, &w.side[0].out); err != nil {
		t.Fatal(err)
	}
	w.agree(0)
	w.pass(time.Second)
	p := w.side[1].sealer
	before := p.top.Load()
	w.pass(10 * time.Minute)
	if n := p.top.Load() - before; n != 24 || len(w.side[1].taken) != 0 {
		t.Errorf("%d dummies in ten minutes", n)
	}
	if err := w.side[0].m.Put(w.now, names[0], MaxKeepalive+1, &w.side[0].out); err == nil {
		t.Error("an endless keepalive is taken")
	}
}

func TestMoveIsTold(t *testing.T) {
	w := newWorld(t, 1)
	w.agree(0)
	w.pass(time.Second)
	if n := w.said(1, EventHeard); n != 1 {
		t.Fatalf("told %d times where the peer is", n)
	}
	p := w.side[1].sealer
	for from := range Source(3) {
		if !p.Received(w.now, 10+from) {
			t.Error("a move is not worth telling")
		}
		w.side[1].m.Attend(w.now, p, &w.side[1].out)
		w.act(1)
	}
	if n := w.said(1, EventHeard); n != 4 || w.side[1].events[len(w.side[1].events)-1].Source != 12 {
		t.Errorf("told %d times", n)
	}
}

func TestRemovedPeerLeavesNothing(t *testing.T) {
	w := newWorld(t, 1)
	w.agree(0)
	w.agree(1)
	m := w.side[0].m
	m.Remove(names[0], &w.side[0].out)
	w.act(0)
	m.Remove(names[0], &w.side[0].out)
	if len(w.side[0].pairs) != 0 || len(m.peers)+len(m.spis)+m.schedule.Len() != 0 || m.reserved != 0 || !m.Deadline().IsNever() {
		t.Errorf("%d peers, %d SPIs", len(m.peers), len(m.spis))
	}
}

func TestSPIsAreOursAndUnique(t *testing.T) {
	w := newWorld(t, 1)
	m, seen := w.side[0].m, map[SPI]bool{}
	for range MaxReserved {
		s := w.spi(0)
		if !s.own() || seen[s] {
			t.Fatalf("%v is given out", s)
		}
		seen[s] = true
	}
	if _, err := m.SPI(); err == nil {
		t.Error("SPIs without end")
	}
	for s := range seen {
		m.Release(s)
		m.Release(s)
	}
	if m.reserved != 0 || len(m.spis) != 0 {
		t.Errorf("%d are still reserved", m.reserved)
	}
}

func TestBadKeysAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	m := w.side[0].m
	good, _ := keysFor(AES256GCM, true)
	good.Local = w.spi(0)
	for name, spoil := range map[string]func(*Keys){
		"no suite":            func(k *Keys) { k.Suite = 0 },
		"suite of the future": func(k *Keys) { k.Suite = 99 },
		"short keys":          func(k *Keys) { k.In = k.In[1:] },
		"long keys":           func(k *Keys) { k.Out = append(slices.Clone(k.Out), 0) },
		"an SPI not ours":     func(k *Keys) { k.Local = 0x40000000 },
		"an SPI not reserved": func(k *Keys) { k.Local ^= 1 },
		"a reserved number":   func(k *Keys) { k.Remote = 255 },
		"a huge window":       func(k *Keys) { k.Window = MostWindow + 1 },
		"a negative window":   func(k *Keys) { k.Window = -1 },
		"soft after hard":     life(Limit{Time: 2 * time.Hour}, Limit{Time: time.Hour}),
		"an endless life":     life(Limit{}, Limit{Time: 1000 * 24 * time.Hour}),
		"too many selectors":  func(k *Keys) { k.Theirs = slices.Repeat(Any(), MaxSelectors) },
		"a selector of none":  func(k *Keys) { k.Ours = []Selector{{}} },
	} {
		k := good
		spoil(&k)
		if err := m.Install(w.now, names[0], k, &w.side[0].out); err == nil || len(w.side[0].out.Events) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := m.Install(w.now, key.WGPublic{}, good, &w.side[0].out); err == nil {
		t.Error("a peer without a name is taken")
	}
	if len(m.peers) != 0 {
		t.Errorf("%d peers are left of what was refused", len(m.peers))
	}
	w.install(0, good)
	if err := m.Install(w.now, names[0], good, &w.side[0].out); err == nil {
		t.Error("an SPI is taken twice")
	}
	for range MaxPairs - 1 {
		good.Local = w.spi(0)
		w.install(0, good)
	}
	good.Local = w.spi(0)
	if err := m.Install(w.now, names[0], good, &w.side[0].out); err == nil {
		t.Error("pairs without end")
	}
}
