package wg

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

func TestAPaceAllowsItsRateAndItsBurst(t *testing.T) {
	var p pace
	now := mono.Time(time.Hour)
	count := func(d time.Duration) (n int) {
		for end := now.Add(d); now < end; now = now.Add(time.Millisecond) {
			if p.allow(now, 50*time.Millisecond, 5) {
				n++
			}
		}
		return n
	}
	if n := count(time.Second); n < 23 || n > 25 {
		t.Errorf("%d in the first second, want the rate of 20 and the burst of 5", n)
	}
	if n := count(time.Second); n < 19 || n > 21 {
		t.Errorf("%d in the next second, want 20", n)
	}
	now = now.Add(time.Minute)
	if n := count(time.Millisecond * 5); n != 5 {
		t.Errorf("%d at once after a rest, want 5", n)
	}
}

// flooder sends initiations with a good MAC1 and nothing good inside.
type flooder struct {
	w     *world
	n     uint32
	addrs int // how many addresses they come from
}

func (f *flooder) flood(n int) {
	for range n {
		f.n++
		msg := make([]byte, initiationSize)
		testRandom(uint64(f.n)).Read(msg)
		initiation(msg).begin(f.n)
		new(jar).stamp(f.w.now, msg, f.w.pub[1])
		ip := netip.AddrFrom4([4]byte{203, 0, byte(int(f.n) % f.addrs >> 8), byte(int(f.n) % f.addrs)})
		f.w.side[1].read(f.w.now, Origin{Source: 9, Addr: netip.AddrPortFrom(ip, 1)}, msg)
	}
}

func lowRate(side int, cfg *Config, _ *Peer) {
	if side == 1 {
		cfg.HandshakesPerSecond = 20
	}
}

func TestAFloodIsAnsweredWithCookiesAndAFriendStillGetsIn(t *testing.T) {
	w := newWorld(t, 1, lowRate)
	f := &flooder{w: w, addrs: 300}
	f.flood(500)
	if n := w.side[1].drops[DropForged]; n > 20 {
		t.Errorf("%d initiations of a flood reached the expensive part, the budget is 20", n)
	}
	if n := w.side[1].drops[DropChallenged]; n < 480 {
		t.Errorf("%d of 500 were challenged", n)
	}

	w.say(0, "let me in")
	for range 100 { // ten seconds of flood
		f.flood(50)
		w.run(100 * time.Millisecond)
	}
	w.heard(1, "let me in")
	if w.side[0].cookies == 0 {
		t.Error("the friend was never asked for a cookie: the test tests nothing")
	}
	if n := w.side[1].drops[DropForged]; n > 20+20*11 {
		t.Errorf("%d of a flood reached the expensive part in eleven seconds at 20 a second", n)
	}

	w.run(2 * time.Second) // the flood is over
	if w.side[1].m.load.sources == nil {
		t.Error("there is no table of sources: the friend did not use it")
	}
	cookies := w.side[0].cookies
	w.boot(0, 77, epoch(), nil)
	w.say(0, "quiet again")
	w.run(time.Second)
	w.heard(1, "quiet again")
	if w.side[0].cookies != 0 || cookies == 0 {
		t.Error("a cookie is asked for although the flood is over")
	}
	if w.side[1].m.load.sources != nil {
		t.Error("the table of sources outlives the load")
	}
}

func TestEstablishedTunnelsDoNotNoticeAFlood(t *testing.T) {
	w := newWorld(t, 2, lowRate)
	w.talk(time.Second)
	f := &flooder{w: w, addrs: 300}
	w.side[0].got, w.side[1].got = nil, nil
	const packets = 3000 // five minutes, so that keys are replaced under the flood too
	for range packets {
		f.flood(5)
		w.say(0, "a")
		w.say(1, "b")
		w.run(100 * time.Millisecond)
	}
	w.run(time.Second)
	for i, s := range w.side {
		if len(s.got) != packets {
			t.Errorf("side %d received %d of %d packets during a flood", i, len(s.got), packets)
		}
	}
}

func TestPressAsksForCookiesAtOnce(t *testing.T) {
	w := newWorld(t, 3, nil)
	w.side[1].m.Press(w.now)
	w.say(0, "hello")
	w.run(100 * time.Millisecond)
	if w.side[0].cookies != 1 {
		t.Fatalf("%d cookies", w.side[0].cookies)
	}
	w.run(RekeyTimeout + maxJitter)
	w.heard(1, "hello")
}

// Whoever holds a cookie may still not start handshakes at will, and its neighbours in the same network share its share.
func TestASourceWithACookieIsPaced(t *testing.T) {
	l := newLoad(1)
	g := newGuard(testKey(t, 1).Public())
	now := mono.Time(time.Hour)
	allowed := func(addr string) int {
		n := 0
		for range 100 {
			if l.fair(now, g.bucket(netip.MustParseAddr(addr))) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		addr string
		want int
	}{
		{"192.0.2.1", sourceBurst}, {"192.0.2.2", sourceBurst}, {"::ffff:192.0.2.1", 0},
		{"2001:db8:0:1::1", sourceBurst}, {"2001:db8:0:1::2", 0}, {"2001:db8:0:2::1", sourceBurst},
	} {
		if got := allowed(c.addr); got != c.want {
			t.Errorf("%s may start %d at once, want %d", c.addr, got, c.want)
		}
	}
}

func TestACookieIsBoundToAddressAndTime(t *testing.T) {
	remote := testKey(t, 1).Public()
	g, j := newGuard(remote), new(jar)
	now := mono.Time(time.Hour)
	here := netip.MustParseAddrPort("192.0.2.1:1000")
	msg, reply := make([]byte, initiationSize), make(cookieReply, cookieSize)

	j.stamp(now, msg, remote)
	if !g.addressed(msg) || g.reachable(now, msg, here) {
		t.Fatal("MAC1 is bad, or MAC2 is good without a cookie")
	}
	g.challenge(now, testRandom(1), reply, msg, 7, here)
	forged := bytes.Clone(reply)
	forged[40] ^= 1
	if j.keep(now, forged, remote) {
		t.Error("a forged cookie is kept")
	}
	if new(jar).keep(now, reply, remote) {
		t.Error("a cookie for somebody else's message is kept")
	}
	if !j.keep(now, reply, remote) || reply.receiver() != 7 {
		t.Fatal("the cookie is not kept")
	}
	j.stamp(now, msg, remote)
	for addr, want := range map[string]bool{"192.0.2.1:1000": true, "[::ffff:192.0.2.1]:1000": true, "192.0.2.1:1001": false, "192.0.2.2:1000": false} {
		if got := g.reachable(now, msg, netip.MustParseAddrPort(addr)); got != want {
			t.Errorf("from %s: %v, want %v", addr, got, want)
		}
	}
	if g.reachable(now.Add(cookieLife), msg, here) {
		t.Error("a cookie outlives its secret")
	}
	j.stamp(now.Add(cookieUse), msg, remote)
	if !bytes.Equal(mac2Of(msg), make([]byte, macSize)) {
		t.Error("an old cookie is still presented")
	}
}

func TestMACsOfAnotherKeyAreNotForUs(t *testing.T) {
	g := newGuard(testKey(t, 1).Public())
	msg := make([]byte, responseSize)
	new(jar).stamp(1, msg, testKey(t, 2).Public())
	if g.addressed(msg) {
		t.Error("a message for somebody else is taken")
	}

	s := newShell(t, Config{Private: testKey(t, 1)}, 1)
	if drop := s.read(1, Origin{}, initiationTo(t, testKey(t, 2).Public(), 3, epoch())); drop != DropUnaddressed {
		t.Errorf("an initiation for somebody else is %v", drop)
	}
}
