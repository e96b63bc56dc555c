package tunnel

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/core/offload/offloadtest"
)

// udp4 is an IPv4 packet without DF, of so many bytes.
func udp4(from, to netip.Addr, size int) []byte {
	p := append([]byte{0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 17, 0, 0}, append(from.AsSlice(), to.AsSlice()...)...)
	binary.BigEndian.PutUint16(p[2:], uint16(size))
	binary.BigEndian.PutUint16(p[10:], offload.Sum(0).Bytes(p).Checksum())
	return append(p, make([]byte, size-len(p))...)
}

// Nobody fragments a datagram on its way through a black hole, and not every sender can be told that its packet is too long.
func TestWhatNobodyIsToldIsCutBeforeABlackHole(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.says(b, 1, 1)
		time.Sleep(time.Second)
		b.heard()
		send := func(p []byte) (sizes []int) {
			a.twin.Send(p)
			time.Sleep(time.Second)
			for len(b.twin.Arrived()) > 0 {
				sizes = append(sizes, len(<-b.twin.Arrived()))
			}
			a.heard() // what the host is told
			return sizes
		}
		p := a.peer(b)
		if got := send(udp4(a.addr, b.addr, 1380)); len(got) != 1 || got[0] != 1380 {
			t.Fatalf("on a perfect way %v arrive", got)
		}
		a.inside(func() { a.owner.Limit(p, 1269) })
		if got := send(udp4(a.addr, b.addr, 1380)); len(got) != 2 || got[0] > 1232 || got[0]+got[1] != 1380+20 {
			t.Errorf("%v arrive", got)
		}
		if got := send(udp4(a.addr, b.addr, 1232)); len(got) != 1 {
			t.Errorf("of what fits %v arrive", got)
		}
		before := a.State().Drops[TooBig.String()]
		whole := udp4(a.addr, b.addr, 1380)
		whole[6] = 0x40
		if got := send(whole); len(got) != 0 || a.State().Drops[TooBig.String()] != before+1 {
			t.Errorf("of what must not be cut %v arrive", got)
		}
		a.inside(func() { a.owner.Limit(p, 1472) })
		if got := send(udp4(a.addr, b.addr, 1380)); len(got) != 1 {
			t.Errorf("when the hole is gone %v arrive", got)
		}
	})
}

// Nobody puts fragments together before the host does: what is cut has its checksum, though the peer would take it without.
func TestWhatIsCutHasItsChecksum(t *testing.T) {
	inBubble(t, func(t *testing.T, a, b *end) {
		a.says(b, 1, 1)
		time.Sleep(time.Second)
		b.heard()
		p := a.peer(b)
		a.inside(func() { a.owner.Limit(p, 1269) })
		train := offloadtest.UDP(a.addr, b.addr, make([]byte, 2*1340), 1340)
		train.Packet[6] = 0 // it may be fragmented
		a.twin.SendTrain(train)
		time.Sleep(time.Second)
		pieces := map[uint16][]byte{} // by identification
		for len(b.twin.Arrived()) > 0 {
			p := <-b.twin.Arrived()
			id := binary.BigEndian.Uint16(p[4:])
			pieces[id] = append(pieces[id], p[20:]...)
		}
		if len(pieces) != 2 {
			t.Fatalf("pieces of %d datagrams arrive", len(pieces))
		}
		for _, datagram := range pieces {
			if len(datagram) != 8+1340 {
				t.Fatalf("%d bytes of a datagram arrive", len(datagram))
			}
			addresses := train.Packet[12:20]
			if offload.PseudoHeader(addresses, 17, len(datagram)).Bytes(datagram).Fold() != 0xffff {
				t.Errorf("the checksum is wrong: % x", datagram[:8])
			}
		}
	})
}
