package wg

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

func pair(t *testing.T) (a, b *end) {
	return newEnd(t, key.NewWGPrivate(), "10.77.0.1"), newEnd(t, key.NewWGPrivate(), "10.77.0.2")
}

func TestTwoTunnelsMeetThoughMostCandidatesAreWrong(t *testing.T) {
	a, b := pair(t)
	a.knows(b, append(nobody(3), b.at())...)
	b.knows(a)
	start := time.Now()
	a.sends(b, "hello")
	b.hears("hello")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v: the right candidate was not tried at once", took)
	}
	b.sends(a, "hello back")
	a.hears("hello back")
	if s := a.state(b); s.Endpoint != b.at() || time.Since(s.LastHandshake) > time.Minute || s.RxBytes == 0 || s.TxBytes == 0 {
		t.Errorf("a of b: %+v", s)
	}
	if s := b.state(a); s.Endpoint != a.at() {
		t.Errorf("b of a: %+v", s)
	}
}

func TestCandidateThatComesLateGetsTheWaitingHandshake(t *testing.T) {
	a, b := pair(t)
	b.knows(a)
	deaf, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	a.knows(b, deaf.LocalAddr().(*net.UDPAddr).AddrPort())
	if s := a.state(b); s.Endpoint.IsValid() || !s.LastHandshake.IsZero() {
		t.Fatalf("before anything: %+v", s)
	}
	a.sends(b, "early")
	if _, err := deaf.Read(make([]byte, initiationSize)); err != nil { // the handshake has been tried, in vain
		t.Fatal(err)
	}
	start := time.Now()
	a.knows(b, b.at())
	b.hears("early")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("took %v: waited for the next attempt", took)
	}
}

func TestPeerThatMovedIsFollowed(t *testing.T) {
	a, b := pair(t)
	a.knows(b, b.at())
	b.knows(a, a.at())
	a.sends(b, "one")
	b.hears("one")
	b.Close()
	b2 := newEnd(t, b.key, "10.77.0.2") // the same node on another port
	if b2.at() == b.at() {
		t.Skip("the port was given again")
	}
	b2.knows(a, a.at())
	b2.sends(a, "from elsewhere")
	a.hears("from elsewhere")
	if s := a.state(b2); s.Endpoint != b2.at() {
		t.Errorf("a thinks that b is at %v, not %v", s.Endpoint, b2.at())
	}
	a.sends(b2, "two")
	b2.hears("two")
}

// A peer that moves and stays silent is found again at another candidate, as soon as we doubt where it was.
func TestWakeFindsASilentPeerElsewhere(t *testing.T) {
	t.Parallel()
	a, b := pair(t)
	a.knows(b, b.at())
	b.knows(a)
	a.sends(b, "one")
	b.hears("one")
	b.Close()
	b2 := newEnd(t, b.key, "10.77.0.2")
	b2.knows(a)
	a.knows(b2, nobody(1)[0], b2.at())
	start := time.Now()
	for heard := false; !heard; heard = b2.heard("two", 200*time.Millisecond) { // the library starts one handshake in five seconds
		if time.Since(start) > 10*time.Second { // and without Wake it would take fifteen to see that b is silent
			t.Fatalf("b not found in %v", time.Since(start))
		}
		a.Wake()
		a.sends(b2, "two")
	}
	if s := a.state(b2); s.Endpoint != b2.at() {
		t.Errorf("a thinks that b is at %v, not %v", s.Endpoint, b2.at())
	}
}

func TestAllowedRangesAreReplacedExactly(t *testing.T) {
	a, b := pair(t)
	c := newEnd(t, key.NewWGPrivate(), "10.77.0.3")
	allowed := func(e *end) string { return strings.Join(allowedLines(t, a.Tunnel.(*stock), e.key.Public()), " ") }
	set := func(e *end, ranges ...string) {
		t.Helper()
		p := Peer{Key: e.key.Public()}
		for _, r := range ranges {
			p.Allowed = append(p.Allowed, netip.MustParsePrefix(r))
		}
		if err := a.SetPeer(p); err != nil {
			t.Fatal(err)
		}
	}
	set(b, "10.77.0.2/32", "192.168.5.0/24", "fd77::2/128")
	set(b, "192.168.6.7/24", "10.77.0.2/32", "10.77.0.2/32")
	if got := allowed(b); got != "10.77.0.2/32 192.168.6.0/24" {
		t.Errorf("b has %q", got)
	}
	set(c, "10.77.0.3/32", "192.168.6.0/24") // moves over
	if b, c := allowed(b), allowed(c); b != "10.77.0.2/32" || c != "10.77.0.3/32 192.168.6.0/24" {
		t.Errorf("b has %q, c has %q", b, c)
	}
	set(b, "10.77.0.2/32", "192.168.6.0/24") // and back, though b was told the same before
	if b, c := allowed(b), allowed(c); b != "10.77.0.2/32 192.168.6.0/24" || c != "10.77.0.3/32" {
		t.Errorf("b has %q, c has %q", b, c)
	}
	set(b)
	if got := allowed(b); got != "" {
		t.Errorf("b has %q", got)
	}
	a.RemovePeer(b.key.Public())
	a.RemovePeer(b.key.Public())
	if n := len(a.Peers()); n != 1 {
		t.Errorf("%d peers", n)
	}
}

// allowedLines asks the library itself.
func allowedLines(t *testing.T, s *stock, k key.WGPublic) (all []string) {
	t.Helper()
	text, err := s.dev.IpcGet()
	if err != nil {
		t.Fatal(err)
	}
	_, mine, _ := strings.Cut(text, "public_key="+hexOf(k))
	mine, _, _ = strings.Cut(mine, "public_key=")
	for line := range strings.Lines(mine) {
		if a, ok := strings.CutPrefix(strings.TrimSpace(line), "allowed_ip="); ok {
			all = append(all, a)
		}
	}
	slices.Sort(all)
	return all
}

func TestPeerThatIsAlreadySoIsNotDisturbed(t *testing.T) {
	a, b := pair(t)
	a.knows(b, b.at())
	b.knows(a)
	a.sends(b, "one")
	b.hears("one")
	before := a.state(b)
	a.knows(b, b.at())
	a.knows(b, nobody(2)...) // other candidates, same peer
	if after := a.state(b); after.Endpoint != before.Endpoint || after.LastHandshake != before.LastHandshake {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestForeignSourcesAreDroppedAtBothEnds(t *testing.T) {
	a, b := pair(t)
	a.knows(b, b.at())
	b.knows(a)
	forged := packet(netip.MustParseAddr("10.77.0.9"), b.addr, "forged")
	a.tun.Send(forged)
	a.sends(b, "real")
	b.hears("real") // and not "forged", which came first: b allows a its own address only
	a.Tunnel.(SourceGuard).SetSources([]netip.Addr{a.addr, netip.MustParseAddr("fd77::1")})
	a.tun.Send(forged)
	a.tun.Send(packet(netip.MustParseAddr("fd77::9"), b.addr, "forged"))
	a.tun.Send([]byte{0x45, 0, 0})
	a.sends(b, "real again")
	b.hears("real again")
	if n := a.Tunnel.(SourceGuard).ForeignSources(); n != 3 {
		t.Errorf("dropped %d, want 3", n)
	}
}

func TestPortIsTheUsualOneIfItIsFree(t *testing.T) {
	a, b := pair(t)
	if usual := netip.AddrPortFrom(netip.IPv4Unspecified(), DefaultPort); a.Port() != DefaultPort {
		if c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(usual)); err == nil {
			c.Close()
			t.Errorf("port %d, though %d is free", a.Port(), DefaultPort)
		}
	}
	if b.Port() == a.Port() || b.Port() == 0 {
		t.Errorf("second port %d, first %d", b.Port(), a.Port())
	}
	m := tun.NewMemory("cvlan1", tun.DefaultMTU)
	_, err := New(Config{Private: key.NewWGPrivate(), TUN: m, Port: a.Port()})
	if err == nil || !strings.Contains(err.Error(), "is taken; choose another") {
		t.Errorf("port taken: %v", err)
	}
	if m.Send([]byte{1}) {
		t.Error("the TUN device of a tunnel that failed is still open")
	}
}

func TestPeersThatCannotBeAreRefused(t *testing.T) {
	a, b := pair(t)
	for want, p := range map[string]Peer{
		"no key":           {},
		"our own":          {Key: a.key.Public()},
		"no address range": {Key: b.key.Public(), Allowed: []netip.Prefix{{}}},
		"at most 4096":     {Key: b.key.Public(), Allowed: make([]netip.Prefix, MaxAllowed+1)},
	} {
		if err := a.SetPeer(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if n := len(a.Peers()); n != 0 {
		t.Errorf("%d peers", n)
	}
	m := tun.NewMemory("cvlan1", tun.DefaultMTU)
	if _, err := New(Config{TUN: m}); err == nil || m.Send([]byte{1}) {
		t.Errorf("no private key: %v", err)
	}
}

func TestClosingLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	m := tun.NewMemory("cvlan0", tun.DefaultMTU)
	tunnel, err := New(Config{Private: key.NewWGPrivate(), TUN: m})
	if err != nil {
		t.Fatal(err)
	}
	if err := tunnel.SetPeer(Peer{Key: key.NewWGPrivate().Public(), Candidates: nobody(2)}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := tunnel.Close(); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-tunnel.Done():
		t.Error("an end that was asked for is told as a failure")
	default:
	}
	if m.Send([]byte{1}) {
		t.Error("the TUN device is still open")
	}
	tunnel.Wake() // harmless
}

func TestLossOfTheTUNDeviceIsTold(t *testing.T) {
	a, _ := pair(t)
	a.tun.Close()
	select {
	case <-a.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
}
