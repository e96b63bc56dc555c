package tun

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// words makes a virtio header.
func words(flags, kind byte, headers, segment, start, offset int) (h header) {
	h[0], h[1] = flags, kind
	for i, w := range []int{headers, segment, start, offset} {
		binary.NativeEndian.PutUint16(h[2+2*i:], uint16(w))
	}
	return h
}

const needsSum = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM

func TestHeadersAreReadAsTheKernelMeansThem(t *testing.T) {
	train := offload.Layout{Protocol: offload.TCP, Segment: 1000, Headers: 52, Partial: true, Start: 20, Offset: 16}
	for name, c := range map[string]struct {
		header header
		packet []byte
		want   offload.Layout
	}{
		"by itself":               {words(0, 0, 0, 0, 0, 0), datagram(9, nil), offload.Layout{}},
		"valid sum":               {words(unix.VIRTIO_NET_HDR_F_DATA_VALID, 0, 0, 0, 0, 0), datagram(9, nil), offload.Layout{}},
		"unsummed":                {words(needsSum, 0, 0, 0, 20, 6), datagram(9, nil), unsummed},
		"train":                   {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 20, 16), tcpTrain(4, 3000), train},
		"train with ECN":          {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4|unix.VIRTIO_NET_HDR_GSO_ECN, 52, 1000, 20, 16), tcpTrain(4, 3000), train},
		"wrong length of headers": {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 1052, 1000, 20, 16), tcpTrain(4, 3000), train},
		"train over IPv6": {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV6, 72, 1000, 40, 16), tcpTrain(6, 3000),
			offload.Layout{Protocol: offload.TCP, Segment: 1000, Headers: 72, Partial: true, Start: 40, Offset: 16}},
		"UDP train": {words(needsSum, unix.VIRTIO_NET_HDR_GSO_UDP_L4, 28, 10, 20, 6), datagram(9, make([]byte, 25)),
			offload.Layout{Protocol: offload.UDP, Segment: 10, Headers: 28, Partial: true, Start: 20, Offset: 6}},
	} {
		if got, ok := c.header.layout(c.packet); !ok || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

func TestHeadersThatDisagreeWithTheirPacketAreRefused(t *testing.T) {
	short := tcpTrain(4, 3000)
	short[32] = 4 << 4
	behind := tcpTrain(6, 3000)
	behind[6] = 0 // hop-by-hop options, which are not there
	for name, c := range map[string]struct {
		header header
		packet []byte
	}{
		"nothing":                {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 20, 16), nil},
		"sum outside":            {words(needsSum, 0, 0, 0, 20, 7), datagram(9, nil)},
		"sum in the IP header":   {words(needsSum, 0, 0, 0, 10, 0), datagram(9, nil)},
		"no sum to do":           {words(0, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 20, 16), tcpTrain(4, 3000)},
		"no segment":             {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 0, 20, 16), tcpTrain(4, 3000)},
		"no payload":             {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 20, 16), tcpTrain(4, 0)},
		"too many segments":      {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 10, 20, 16), tcpTrain(4, 10*offload.MaxSegments+1)},
		"other version":          {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV6, 52, 1000, 20, 16), tcpTrain(4, 3000)},
		"other protocol":         {words(needsSum, unix.VIRTIO_NET_HDR_GSO_UDP_L4, 52, 1000, 20, 6), tcpTrain(4, 3000)},
		"other place of the sum": {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 20, 6), tcpTrain(4, 3000)},
		"options of IP":          {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 56, 1000, 24, 16), tcpTrain(4, 3000)},
		"short TCP header":       {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 20, 16), short},
		"extension header":       {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV6, 72, 1000, 40, 16), behind},
		"start outside":          {words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 1000, 60000, 16), tcpTrain(4, 3000)},
		"fragmentation of UDP":   {words(needsSum, unix.VIRTIO_NET_HDR_GSO_UDP, 28, 1000, 20, 6), datagram(9, make([]byte, 3000))},
	} {
		if got, ok := c.header.layout(c.packet); ok {
			t.Errorf("%s: taken as %+v", name, got)
		}
	}
}

// Whatever the header says, a layout that is taken can be cut, and means the same to the kernel when it is written back.
func FuzzLayout(f *testing.F) {
	add := func(h header, p []byte) { f.Add(h[:], p) }
	add(words(0, 0, 0, 0, 0, 0), datagram(9, []byte("x")))
	add(words(needsSum, 0, 0, 0, 20, 6), datagram(9, []byte("x")))
	add(words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV4, 52, 10, 20, 16), tcpTrain(4, 30))
	add(words(needsSum, unix.VIRTIO_NET_HDR_GSO_TCPV6, 72, 10, 40, 16), tcpTrain(6, 35))
	add(words(needsSum, unix.VIRTIO_NET_HDR_GSO_UDP_L4, 28, 10, 20, 6), datagram(9, make([]byte, 25)))
	f.Fuzz(func(t *testing.T, head, packet []byte) {
		var h header
		if copy(h[:], head) < len(h) || len(packet) > offload.MaxPacket {
			return
		}
		l, ok := h.layout(packet)
		if !ok {
			return
		}
		var back header
		if !back.describe(&l, packet[0]>>4) {
			t.Fatalf("%+v does not fit into a header", l)
		}
		if again, ok := back.layout(packet); !ok || again != l {
			t.Fatalf("%+v became %+v, %v", l, again, ok)
		}
		if l.Protocol != offload.None && int(binary.NativeEndian.Uint16(back[2:])) != l.Headers {
			t.Fatal("the kernel is told another length of headers")
		}
		total := 0
		for _, p := range split(offload.Super{Layout: l, Packet: packet}) {
			total += len(p) - l.Headers
		}
		if total != len(packet)-l.Headers {
			t.Fatalf("%d bytes of payload became %d", len(packet)-l.Headers, total)
		}
	})
}
