package tunnel

import (
	"encoding/binary"
	"hash/crc32"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// void is a socket that takes everything and gives nothing.
type void struct {
	sock.Socket
	closed chan struct{}
	once   sync.Once
	sent   int // bytes
}

func (v *void) Receive([]sock.Train) (int, error) {
	<-v.closed
	return 0, net.ErrClosed
}

func (v *void) Send(trains []sock.Train) error {
	for i := range trains {
		v.sent += len(trains[i].Data)
	}
	return nil
}

func (v *void) Close() error { v.once.Do(func() { close(v.closed) }); return nil }

// sink takes what a worker writes, and fails if the host would not.
type sink struct {
	tun.Queue
	t    *testing.T
	host tun.Queue
	twin *tun.Twin
}

func (s *sink) Write(runs []offload.Run) error {
	before := s.twin.Stats().Refused
	if err := s.host.Write(runs); err != nil {
		return err
	}
	for len(s.twin.Arrived()) > 0 {
		<-s.twin.Arrived()
	}
	if n := s.twin.Stats().Refused - before; n != 0 {
		s.t.Fatalf("the host refuses %d of %d runs", n, len(runs))
	}
	return nil
}

// lone is a tunnel with one peer, 10.77.0.2, and a session with it.
func lone(f *testing.F) (t *Tunnel, session *fakeSession, twin *tun.Twin) {
	f.Helper()
	fk := &fake{self: key.WGPublic{1}, limit: 1 << 60}
	t, err := New(Config{Self: fk.self, TUN: tun.NewTwin(tun.Config{}), Sockets: []sock.Socket{&void{closed: make(chan struct{})}}, Transports: map[Class]Build{IKE: fk.build}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { t.Close() })
	if err := t.SetPeer(PeerConfig{Key: key.WGPublic{2}, Allowed: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/32"), netip.MustParsePrefix("fd77::/64")}}); err != nil {
		f.Fatal(err)
	}
	session = &fakeSession{ours: 0x30000001, theirs: 0x30000001, limit: 1 << 60}
	p := t.routes.peer(addressOf(netip.MustParseAddr("10.77.0.2")))
	p.path.Store(&Path{place: place{id: 1, remote: netip.MustParseAddrPort("192.0.2.2:1")}})
	p.path.Load().limit.Store(1300)
	p.sealer.Store(p.sealing(session))
	t.sessions[ESP].put(address{lo: uint64(session.ours)}, &receiving{Session: session, peer: p})
	return t, session, tun.NewTwin(tun.Config{})
}

// Whatever comes in, by itself or in a good session, leads to nothing that the host would not take.
func FuzzInbound(f *testing.F) {
	tunnel, session, twin := lone(f)
	inner := offloadtest.Numbered(netip.MustParseAddr("10.77.0.2"), netip.MustParseAddr("10.77.0.1"), 1)
	f.Add([]byte{4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 0, inner)
	f.Add([]byte{0x30, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 5, append(inner, 0, 0, 0))
	host := &sink{host: twin.Queues()[0], twin: twin}
	w := newInbound(tunnel, tunnel.doors[0], &exit{Queue: host}, inboundTrains, inboundBuffer, inboundPackets)
	f.Fuzz(func(t *testing.T, datagrams []byte, segment int, packet []byte) {
		if host.t = t; len(datagrams)+len(packet) > 1<<15 {
			return
		}
		now, from := mono.Time(time.Hour), netip.MustParseAddrPort("192.0.2.2:1")
		w.train(now, &sock.Train{Data: append([]byte(nil), datagrams...), Segment: segment, Remote: from})
		var good []byte
		for i := range 3 { // so that some are joined
			d := binary.BigEndian.AppendUint32(nil, session.ours)
			d = append(binary.BigEndian.AppendUint64(d, uint64(i)), packet...)
			good = binary.BigEndian.AppendUint32(append(good, d...), crc32.ChecksumIEEE(d))
		}
		w.train(now, &sock.Train{Data: good, Segment: len(good) / 3, Remote: from})
		if err := w.flush(now); err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever the host hands over, no more leaves than its packets and what sealing adds.
func FuzzOutbound(f *testing.F) {
	tunnel, _, twin := lone(f)
	out := &void{}
	w := newOutbound(tunnel, &exit{Queue: twin.Queues()[0]}, newBatch(out))
	packet := offloadtest.Numbered(netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2"), 1)
	f.Add(packet, 0, 0, 0, false, 0, 0)
	f.Add(append(packet[:20:20], make([]byte, 4000)...), 1, 1300, 40, true, 20, 16)
	f.Add(append(packet[:20:20], make([]byte, 4000)...), 2, 1200, 28, true, 20, 6)
	f.Fuzz(func(t *testing.T, packet []byte, protocol, segment, headers int, partial bool, start, offset int) {
		buf := make([]byte, tun.Headroom+offload.MaxPacket+tun.Tailroom)
		s := offload.Super{Packet: buf[tun.Headroom : tun.Headroom+copy(buf[tun.Headroom:len(buf)-tun.Tailroom], packet)]}
		s.Layout = offload.Layout{Protocol: offload.Protocol(protocol & 3), Segment: segment, Headers: headers, Partial: partial, Start: start, Offset: offset}
		out.sent = 0
		if err := w.super(mono.Time(time.Hour), &s); err != nil {
			t.Fatal(err)
		}
		if err := w.batch.flush(); err != nil {
			t.Fatal(err)
		}
		if most := len(packet) + offload.MaxSegments*(headersMost+Overhead); out.sent > most {
			t.Fatalf("%d bytes leave for a packet of %d", out.sent, len(packet))
		}
	})
}

// headersMost is more than the headers of a train ever are, in bytes.
const headersMost = 256
