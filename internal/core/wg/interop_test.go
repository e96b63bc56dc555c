package wg

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/tuntest"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// These tests run our machine against an unchanged wireguard-go device, in memory and in real time.

func TestStockAnswersUs(t *testing.T) {
	for _, psk := range [][32]byte{{}, {1, 2, 3}} {
		t.Run(fmt.Sprintf("psk=%v", psk != [32]byte{}), func(t *testing.T) {
			s := newStock(t, interop{psk: psk})
			s.weSend()
			s.theySend()
			s.weSend()
			s.wantHandshakes(1, 0)
		})
	}
}

func TestWeAnswerStock(t *testing.T) {
	for _, psk := range [][32]byte{{}, {1, 2, 3}} {
		t.Run(fmt.Sprintf("psk=%v", psk != [32]byte{}), func(t *testing.T) {
			s := newStock(t, interop{psk: psk, endpoint: true})
			s.theySend()
			s.weSend()
			s.theySend()
			s.wantHandshakes(0, 1)
		})
	}
}

func TestStockAndWeBeginAtOnce(t *testing.T) {
	s := newStock(t, interop{endpoint: true})
	ours, theirs := ping(theirsInside, oursInside), ping(oursInside, theirsInside)
	s.tun.Outbound <- theirs
	initiation := <-s.wire.toUs
	s.ours.write(s.now(), s.public, ours) // before we have read it
	s.wire.toUs <- initiation
	s.pump("both arrive", func() bool { return s.arrived(ours) && s.received(theirs) })
	s.weSend()
	s.theySend()
}

func TestStockFollowsUsThroughNewKeys(t *testing.T) {
	s := newStock(t, interop{})
	s.weSend()
	first := s.ours.tx[s.public]
	for range 3 {
		s.linger(2 * initiationEvery) // stock takes no two initiations of a peer within that
		s.skew += RekeyAfterTime
		s.weSend()
		s.pump("new keys", func() bool { return s.ours.tx[s.public] != first })
		first = s.ours.tx[s.public]
		s.theySend()
		s.weSend()
	}
}

func TestStockReachesUsAfterOurReboot(t *testing.T) {
	s := newStock(t, interop{endpoint: true})
	s.theySend()
	s.bootOurs(interop{})
	s.weSend()
	s.theySend()
}

// Flooded with initiations that bear a good MAC1, stock asks for a cookie; ours keeps it, and presents it when it tries again.
func TestStockUnderLoadGetsItsCookieBack(t *testing.T) {
	for range 20 { // the machine may be away for as long as stock remembers a flood
		if cookieComesBack(t) {
			return
		}
	}
	t.Error("stock gives us no cookie, or we do not take it")
}

// cookieComesBack lets us begin while stock is under load, and reports whether it still was.
func cookieComesBack(t *testing.T) bool {
	s := newStock(t, interop{})
	flood := make([][]byte, 4000)
	for i := range flood {
		flood[i] = make([]byte, initiationSize)
		testRandom(uint64(i)).Read(flood[i])
		initiation(flood[i]).begin(uint32(i))
		new(jar).stamp(1, flood[i], s.public)
	}
	s.wire.inject(flood)
	s.pump("load", func() bool { return s.sent[1][KindCookie] > 0 })
	s.linger(100 * time.Millisecond) // the flood is over; stock remembers it for a second

	packet := ping(theirsInside, oursInside)
	s.ours.write(s.now(), s.public, packet)
	s.pump("a cookie for us", func() bool { return s.ours.cookies == 1 || s.arrived(packet) })
	if s.ours.cookies == 0 {
		return false
	}
	s.skew += RekeyTimeout + maxJitter
	s.pump("the packet", func() bool { return s.arrived(packet) })
	if s.ours.cookies != 1 {
		t.Error("stock wanted another cookie")
	}
	s.theySend()
	if n := s.sent[0][KindInitiation]; n != 2 && n != 3 { // a busy machine takes the half second after which ours says its first once more
		t.Errorf("%d initiations from us", n)
	}
	s.wantHandshakes(s.sent[0][KindInitiation], 0)
	return true
}

func TestWeUnderLoadGetOurCookieBackFromStock(t *testing.T) {
	t.Parallel() // stock waits five real seconds before it tries again
	s := newStock(t, interop{endpoint: true})
	s.pressed = true
	packet := ping(oursInside, theirsInside)
	s.tun.Outbound <- packet
	s.pump("the packet", func() bool { return s.received(packet) })
	if s.ours.drops[DropChallenged] != 1 {
		t.Errorf("dropped %v, want one challenge", s.ours.drops)
	}
	s.weSend()
	s.wantHandshakes(0, 2)
}

// stock is a wireguard-go device and the wire between it and our shell.
type stock struct {
	t       *testing.T
	tun     *tuntest.ChannelTUN
	dev     *device.Device
	wire    *wire
	ours    *shell
	private key.WGPrivate // ours
	public  key.WGPublic  // its
	start   time.Time
	awake   time.Duration // what our machine's clock has run: of a time in which the test was away it knows little
	skew    time.Duration // our machine's clock is ahead by this much
	pressed bool          // we are always under load
	inside  [][]byte      // what came out of its TUN
	sent    [2][5]int     // messages by kind, from us and from it
}

type interop struct {
	psk      [32]byte
	endpoint bool // stock knows where we are, and may begin
}

func newStock(t *testing.T, o interop) *stock {
	t.Helper()
	theirKey := key.NewWGPrivate()
	s := &stock{t: t, tun: tuntest.NewChannelTUN(), wire: newWire(), private: key.NewWGPrivate(), public: theirKey.Public(), start: time.Now()}
	s.bootOurs(o)

	s.dev = device.NewDevice(s.tun.TUN(), s.wire, device.NewLogger(device.LogLevelSilent, ""))
	t.Cleanup(s.dev.Close)
	ourPublic := s.private.Public()
	config := fmt.Sprintf("private_key=%s\npublic_key=%s\npreshared_key=%s\nallowed_ip=%s/32\n",
		theirKey.Hex(), hex.EncodeToString(ourPublic[:]), hex.EncodeToString(o.psk[:]), oursInside)
	if o.endpoint {
		config += "endpoint=192.0.2.1:51820\n"
	}
	if err := s.dev.IpcSet(config); err != nil {
		t.Fatal(err)
	}
	if err := s.dev.Up(); err != nil {
		t.Fatal(err)
	}
	return s
}

// bootOurs starts our side, or starts it anew.
func (s *stock) bootOurs(o interop) {
	s.t.Helper()
	wall := time.Now().Add(-time.Duration(s.now()))
	s.ours = newShell(s.t, Config{Private: s.private, Epoch: wall.Add(s.skew)}, uint64(time.Now().UnixNano()))
	s.ours.send = func(tr Transmit) {
		s.sent[0][KindOf(tr.Data)]++
		s.wire.toStock <- tr.Data
	}
	if err := s.ours.m.Put(s.now(), Peer{Public: s.public, Preshared: key.RawPreshared(o.psk)}, &s.ours.out); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stock) now() mono.Time { return mono.Time(time.Hour + s.awake + s.skew) }

// pump serves our side until done reports true.
func (s *stock) pump(what string, done func() bool) {
	s.t.Helper()
	const limit, away = 2 * time.Minute, 100 * time.Millisecond
	timeout := time.After(limit)
	origin := Origin{Source: 1, Addr: netip.MustParseAddrPort("198.51.100.2:51820")}
	for last := time.Now(); !done(); {
		now := time.Now()
		s.awake += min(now.Sub(last), away)
		last = now
		wait := 10 * time.Millisecond
		if d := s.ours.m.Deadline(); !d.IsNever() {
			wait = min(wait, max(0, d.Sub(s.now())))
		}
		select {
		case data := <-s.wire.toUs:
			s.sent[1][KindOf(data)]++
			if s.pressed {
				s.ours.m.Press(s.now())
			}
			s.ours.read(s.now(), origin, data)
		case packet := <-s.tun.Inbound:
			s.inside = append(s.inside, packet)
		case <-time.After(wait):
			s.ours.tick(s.now())
		case <-timeout:
			s.t.Fatalf("%s: not within %v; sent by us %v, by stock %v, dropped by us %v", what, limit, s.sent[0], s.sent[1], s.ours.drops)
		}
	}
}

func (s *stock) linger(d time.Duration) {
	s.t.Helper()
	end := time.Now().Add(d)
	s.pump("lingering", func() bool { return time.Now().After(end) })
}

func (s *stock) weSend() {
	s.t.Helper()
	packet := ping(theirsInside, oursInside)
	s.ours.write(s.now(), s.public, packet)
	s.pump("our packet", func() bool { return s.arrived(packet) })
}

func (s *stock) theySend() {
	s.t.Helper()
	packet := ping(oursInside, theirsInside)
	s.tun.Outbound <- packet
	s.pump("stock's packet", func() bool { return s.received(packet) })
}

// arrived reports whether packet came out of stock's TUN.
func (s *stock) arrived(packet []byte) bool {
	for _, p := range s.inside {
		if bytes.Equal(p, packet) {
			return true
		}
	}
	return false
}

// received reports whether we opened packet, behind which there may be padding.
func (s *stock) received(packet []byte) bool {
	for _, p := range s.ours.got {
		if bytes.HasPrefix(p, packet) {
			return true
		}
	}
	return false
}

// wantHandshakes counts initiations. Stock, whose clock is the real one, may repeat its last when the machine was away for so long.
func (s *stock) wantHandshakes(ours, theirs int) {
	s.t.Helper()
	late := time.Since(s.start) > time.Duration(theirs)*RekeyTimeout
	if a, b := s.sent[0][KindInitiation], s.sent[1][KindInitiation]; a != ours || b < theirs || b > theirs && !late {
		s.t.Errorf("initiations: %d from us and %d from stock, want %d and %d", a, b, ours, theirs)
	}
}
