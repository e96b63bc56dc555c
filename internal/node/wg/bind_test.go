package wg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/blake2s"
	"golang.zx2c4.com/wireguard/conn"

	"github.com/cvlan/cvlan/internal/base/key"
)

// sockets stand for the library's; they remember where was sent, and receive what a test put there.
type sockets struct {
	conn.Bind
	sent  []netip.AddrPort
	fails map[netip.AddrPort]error
	taken map[uint16]bool
	fill  func(bufs [][]byte, sizes []int, eps []conn.Endpoint) int
}

func (s *sockets) Open(port uint16) ([]conn.ReceiveFunc, uint16, error) {
	if s.taken[port] {
		return nil, 0, &net.OpError{Op: "listen", Err: syscall.EADDRINUSE}
	}
	if port == 0 {
		port = 50000
	}
	return []conn.ReceiveFunc{func(bufs [][]byte, sizes []int, eps []conn.Endpoint) (int, error) {
		return s.fill(bufs, sizes, eps), nil
	}}, port, nil
}

func (s *sockets) Send(bufs [][]byte, ep conn.Endpoint) error {
	e := ep.(*conn.StdNetEndpoint)
	if len(s.sent) < cap(s.sent) { // never grows, so that it can be counted what allocates
		s.sent = append(s.sent, e.AddrPort)
	}
	return s.fails[e.AddrPort]
}

// where returns where was sent since the last time, in words.
func (s *sockets) where() string {
	defer func() { s.sent = s.sent[:0] }()
	return fmt.Sprint(s.sent)
}

func newTestBind() (*bind, *sockets) {
	s := &sockets{sent: make([]netip.AddrPort, 0, 100), fails: map[netip.AddrPort]error{}, taken: map[uint16]bool{}}
	b := newBind(0, slog.New(slog.DiscardHandler))
	b.std = s
	return b, s
}

// initiation makes what looks like the library's initiation number index for a peer.
func initiation(to key.WGPublic, index uint32) [][]byte {
	p := make([]byte, initiationSize)
	p[0] = initiationType
	binary.LittleEndian.PutUint32(p[4:], index)
	k := mac1Key(to)
	h, _ := blake2s.New128(k[:])
	h.Write(p[:initiationMAC1])
	h.Sum(p[initiationMAC1:initiationMAC1])
	return [][]byte{p}
}

// answerFrom lets the bind receive the answer to an initiation.
func answerFrom(t *testing.T, b *bind, s *sockets, index uint32, from netip.AddrPort) {
	t.Helper()
	fns, _, err := b.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	s.fill = func(bufs [][]byte, sizes []int, eps []conn.Endpoint) int {
		bufs[0][0] = responseType
		binary.LittleEndian.PutUint32(bufs[0][8:], index)
		sizes[0], eps[0] = responseSize, &conn.StdNetEndpoint{AddrPort: from}
		return 1
	}
	if n, err := fns[0]([][]byte{make([]byte, 200)}, make([]int, 1), make([]conn.Endpoint, 1)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

var (
	one   = netip.MustParseAddrPort("192.0.2.1:1")
	two   = netip.MustParseAddrPort("192.0.2.2:2")
	three = netip.MustParseAddrPort("192.0.2.3:3")
)

func TestInitiationsGoWhereThePeerMightBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newTestBind()
		peer := key.NewWGPrivate().Public()
		for range 100 {
			b.add(key.NewWGPrivate().Public()) // others
		}
		b.add(peer)
		b.setCandidates(peer, []netip.AddrPort{one, two})
		ep, err := b.ParseEndpoint(peer.String())
		if err != nil {
			t.Fatal(err)
		}
		sends := func(index uint32, ep conn.Endpoint, want string) {
			t.Helper()
			if err := b.Send(initiation(peer, index), ep); err != nil {
				t.Fatal(err)
			}
			if got := s.where(); got != want {
				t.Errorf("initiation %d went to %s, want %s", index, got, want)
			}
		}
		sends(1, ep, "[192.0.2.1:1 192.0.2.2:2]")
		time.Sleep(5 * time.Second)
		sends(2, ep, "[192.0.2.1:1 192.0.2.2:2]")
		answerFrom(t, b, s, 1, two) // void by now
		if err := b.Send([][]byte{make([]byte, 32)}, ep); !errors.Is(err, errNowhere) {
			t.Errorf("data for a peer that is nowhere: %v", err)
		}
		b.setCandidates(peer, []netip.AddrPort{two, three})
		if got := s.where(); got != "[192.0.2.3:3]" {
			t.Errorf("late candidates: %s", got)
		}
		answerFrom(t, b, s, 2, three)
		std := &conn.StdNetEndpoint{AddrPort: three} // the library's endpoint from now on

		time.Sleep(121 * time.Second)
		sends(3, std, "[192.0.2.3:3]") // a renewal
		answerFrom(t, b, s, 3, three)
		time.Sleep(15 * time.Second)
		sends(4, std, "[192.0.2.3:3 192.0.2.2:2]") // silence
		time.Sleep(5 * time.Second)
		sends(5, std, "[192.0.2.3:3 192.0.2.2:2]")
		answerFrom(t, b, s, 5, two)
		std = &conn.StdNetEndpoint{AddrPort: two}

		b.wake(peer, two)
		time.Sleep(121 * time.Second)
		if err := b.Send([][]byte{make([]byte, 32)}, ep); err != nil || s.where() != "[192.0.2.2:2]" {
			t.Errorf("data after Wake: %v", err)
		}
		sends(6, ep, "[192.0.2.2:2 192.0.2.3:3]")
		b.wake(peer, two)
		if got := s.where(); got != "[192.0.2.2:2 192.0.2.3:3]" {
			t.Errorf("Wake while an initiation waits: %s", got)
		}
		b.remove(peer)
		if err := b.Send(initiation(peer, 7), ep); !errors.Is(err, errNowhere) {
			t.Errorf("removed peer: %v", err)
		}
		if err := b.Send(initiation(peer, 8), std); err != nil || s.where() != "[192.0.2.2:2]" {
			t.Errorf("peer that is not ours: %v", err)
		}
		if len(b.asked) != 0 || len(b.hints) != 0 || len(b.targets) != 100 {
			t.Errorf("left: %d asked, %d hints, %d targets", len(b.asked), len(b.hints), len(b.targets))
		}
	})
}

func TestUnreachableCandidatesDoNotHideAReachableOne(t *testing.T) {
	b, s := newTestBind()
	peer := key.NewWGPrivate().Public()
	b.add(peer)
	b.setCandidates(peer, []netip.AddrPort{one, two, three})
	s.fails[one], s.fails[three] = errors.New("no route"), errors.New("no route")
	ep, _ := b.ParseEndpoint(peer.String())
	if err := b.Send(initiation(peer, 1), ep); err != nil {
		t.Errorf("one of three is reachable: %v", err)
	}
	s.fails[two] = errors.New("no route either")
	if err := b.Send(initiation(peer, 2), ep); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("none is reachable: %v", err)
	}
}

func TestStaleSourceAddressIsGivenUp(t *testing.T) {
	b, s := newTestBind()
	s.fails[one] = &net.OpError{Op: "write", Err: syscall.EINVAL}
	b.Send([][]byte{make([]byte, 32)}, &conn.StdNetEndpoint{AddrPort: one})
	if got := s.where(); got != "[192.0.2.1:1 192.0.2.1:1]" {
		t.Errorf("sent to %s; want a second attempt", got)
	}
	s.fails[one] = &net.OpError{Op: "write", Err: syscall.EPERM}
	b.Send([][]byte{make([]byte, 32)}, &conn.StdNetEndpoint{AddrPort: one})
	if got := s.where(); got != "[192.0.2.1:1]" {
		t.Errorf("sent to %s; want one attempt", got)
	}
}

func TestPortIsChosenOnce(t *testing.T) {
	b, s := newTestBind()
	s.taken[DefaultPort] = true
	if _, port, err := b.Open(0); err != nil || port != 50000 {
		t.Errorf("usual port taken: %d, %v", port, err)
	}
	s.taken[DefaultPort] = false
	if _, port, err := b.Open(0); err != nil || port != DefaultPort {
		t.Errorf("usual port free: %d, %v", port, err)
	}
	b.want = 7
	if _, port, err := b.Open(0); err != nil || port != 7 {
		t.Errorf("port asked for: %d, %v", port, err)
	}
	s.taken[7] = true
	if _, _, err := b.Open(0); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("port asked for and taken: %v", err)
	}
}

func FuzzStates(f *testing.F) {
	f.Add("private_key=00\nlisten_port=1\npublic_key=" + strings.Repeat("ab", 32) + "\nendpoint=192.0.2.1:1\nlast_handshake_time_sec=5\nlast_handshake_time_nsec=6\ntx_bytes=7\nrx_bytes=8\n")
	f.Add("public_key=" + strings.Repeat("ab", 33))
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseStates(text)
		if err == nil && len(all) > strings.Count(text, "public_key=") {
			t.Fatal("more peers than were named")
		}
		if slices.ContainsFunc(all, func(p PeerState) bool { return p.Endpoint.IsValid() && p.Endpoint.Addr().Is4In6() }) {
			t.Fatal("an endpoint in disguise")
		}
	})
}
