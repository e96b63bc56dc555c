package wg_test

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun/tuntest"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/node/wg"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// These tests run a whole tunnel of ours against an unchanged wireguard-go device, over loopback and in real time.

// stock is a wireguard-go device and our end of the tunnel with it.
type stock struct {
	*testing.T
	*tunnel.Tunnel
	twin    *tun.Twin
	tun     *tuntest.ChannelTUN
	dev     *device.Device
	private key.WGPrivate // its
	port    uint16        // its
	n       int           // of texts
}

// The two addresses inside.
var (
	oursInside   = netip.AddrFrom4([4]byte{10, 77, 0, 1})
	theirsInside = netip.AddrFrom4([4]byte{10, 77, 0, 2})
)

// newStock makes both. begins says who knows where the other is; change may alter our end.
func newStock(t *testing.T, psk [32]byte, weBegin bool, change ...func(*wg.Config)) *stock {
	t.Helper()
	s := &stock{T: t, twin: tun.NewTwin(tun.Config{}), tun: tuntest.NewChannelTUN(), private: key.NewWGPrivate()}
	socket, err := sock.Open(sock.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ours := key.NewWGPrivate()
	speaks := wg.Config{Private: ours}
	for _, f := range change {
		f(&speaks)
	}
	s.Tunnel, err = tunnel.New(tunnel.Config{
		Self: ours.Public(), TUN: s.twin, Sockets: []sock.Socket{socket}, Transports: map[tunnel.Class]tunnel.Build{tunnel.WireGuard: wg.New(speaks)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Tunnel.Close() })
	public := ours.Public()
	config := fmt.Sprintf("private_key=%s\npublic_key=%s\npreshared_key=%s\nallowed_ip=%s/32\n",
		s.private.Hex(), hex.EncodeToString(public[:]), hex.EncodeToString(psk[:]), oursInside)
	if !weBegin {
		config += fmt.Sprintf("endpoint=127.0.0.1:%d\n", s.Port())
	}
	s.boot(config)
	c := tunnel.PeerConfig{Key: s.private.Public(), Preshared: psk, Allowed: []netip.Prefix{netip.PrefixFrom(theirsInside, 32)}}
	if weBegin {
		c.Candidates = []netip.AddrPort{s.at()}
	}
	if err := s.SetPeer(c); err != nil {
		t.Fatal(err)
	}
	return s
}

// boot starts the device.
func (s *stock) boot(config string) {
	s.Helper()
	s.dev = device.NewDevice(s.tun.TUN(), conn.NewDefaultBind(), device.NewLogger(device.LogLevelSilent, ""))
	s.Cleanup(s.dev.Close)
	if err := s.dev.IpcSet(config); err != nil {
		s.Fatal(err)
	}
	if err := s.dev.Up(); err != nil {
		s.Fatal(err)
	}
	state, err := s.dev.IpcGet()
	if err != nil {
		s.Fatal(err)
	}
	_, port, _ := strings.Cut(state, "listen_port=") // any that was free
	if _, err := fmt.Sscan(port, &s.port); err != nil {
		s.Fatal(err)
	}
}

// at is where the device is.
func (s *stock) at() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.port)
}

func (s *stock) text() string {
	s.n++
	return fmt.Sprintf("packet %d", s.n)
}

// weSend sends a packet to the device, and waits for it.
func (s *stock) weSend(within time.Duration) {
	s.Helper()
	text := s.text()
	s.twin.Send(packet(oursInside, theirsInside, text))
	if !comes(s.tun.Inbound, text, within) {
		s.Fatalf("it did not receive %q: %+v, drops %v", text, s.Peers(), s.State().Drops)
	}
}

// theySend is the other way round.
func (s *stock) theySend(within time.Duration) {
	s.Helper()
	text := s.text()
	s.tun.Outbound <- packet(theirsInside, oursInside, text)
	if !comes(s.twin.Arrived(), text, within) {
		s.Fatalf("we did not receive %q: %+v, drops %v", text, s.Peers(), s.State().Drops)
	}
}

// comes waits for a text. Time in which the machine is away does not count: of the ticks that are missed one remains.
func comes(from <-chan []byte, text string, within time.Duration) bool {
	const every = 10 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for within > 0 {
		select {
		case p := <-from:
			if textOf(p) == text {
				return true
			}
		case <-tick.C:
			within -= every
		}
	}
	return false
}

// soon is how long what needs no repetition may take on a busy machine.
const soon = 4 * time.Second

func TestStockIsSpokenWithInBothRoles(t *testing.T) {
	for _, psk := range [][32]byte{{}, {1, 2, 3}} {
		for _, weBegin := range []bool{true, false} {
			t.Run(fmt.Sprintf("psk=%v,weBegin=%v", psk != [32]byte{}, weBegin), func(t *testing.T) {
				s := newStock(t, psk, weBegin)
				if weBegin {
					s.weSend(soon)
				}
				for range 20 {
					s.theySend(soon)
					s.weSend(soon)
				}
				if d := s.State().Drops; len(d) != 0 {
					t.Errorf("drops %v", d)
				}
			})
		}
	}
}

func TestStockReceivesOurTrains(t *testing.T) {
	s := newStock(t, [32]byte{}, true)
	s.weSend(soon)
	payload := noise(20 * 1300)
	s.twin.SendTrain(offloadtest.UDP(oursInside, theirsInside, payload, 1300))
	for i := range 20 {
		select {
		case p := <-s.tun.Inbound:
			if string(p[28:]) != string(payload[i*1300:(i+1)*1300]) {
				t.Fatalf("datagram %d is another", i)
			}
		case <-time.After(time.Minute):
			t.Fatalf("datagram %d has not arrived", i)
		}
	}
}

func TestStockIsReachedAfterWeForgotEverything(t *testing.T) {
	t.Parallel()
	s := newStock(t, [32]byte{}, true)
	s.weSend(soon)
	s.theySend(soon)
	c := tunnel.PeerConfig{Key: s.private.Public(), Allowed: []netip.Prefix{netip.PrefixFrom(theirsInside, 32)}, Candidates: []netip.AddrPort{s.at()}}
	s.RemovePeer(c.Key)
	if err := s.SetPeer(c); err != nil {
		t.Fatal(err)
	}
	s.weSend(2 * retry)
	s.theySend(soon)
}
