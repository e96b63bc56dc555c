package tun

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/offload"
)

// header is a virtio-net header as the kernel puts it before a packet (virtio 1.2, section 5.1.6; <linux/virtio_net.h>), in the machine's
// own byte order: flags, GSO type, then 16 bits each of header length, segment, checksum start and offset.
type header [10]byte

// gsoKind leaves the ECN bit of a GSO type out. The kernel sets it only for those who ask for TUN_F_TSO_ECN.
const gsoKind = 0x7f

// layout reads h, and reports false if it does not agree with the packet. The length of the headers it computes: what the kernel says can
// be the whole first packet when it forwards.
func (h *header) layout(p []byte) (l offload.Layout, ok bool) {
	if h[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
		l.Partial = true
		l.Start = int(binary.NativeEndian.Uint16(h[6:]))
		l.Offset = int(binary.NativeEndian.Uint16(h[8:]))
	}
	kind := h[1] & gsoKind
	if kind != unix.VIRTIO_NET_HDR_GSO_NONE {
		if l.Protocol = protocolOf(kind, p); l.Protocol == offload.None {
			return l, false
		}
		l.Segment = int(binary.NativeEndian.Uint16(h[4:]))
		l.Headers = payload(l.Protocol, l.Start, p)
	}
	return l, sound(&l, p)
}

// protocolOf translates a GSO type; None if there is none such for a packet of p's version.
func protocolOf(kind byte, p []byte) offload.Protocol {
	switch {
	case len(p) == 0:
		return offload.None
	case kind == unix.VIRTIO_NET_HDR_GSO_UDP_L4:
		return offload.UDP
	case kind == unix.VIRTIO_NET_HDR_GSO_TCPV4 && p[0]>>4 == 4, kind == unix.VIRTIO_NET_HDR_GSO_TCPV6 && p[0]>>4 == 6:
		return offload.TCP
	}
	return offload.None
}

// describe writes a layout into h. The kernel checks it against the packet; all that is refused here is what does not fit into the fields.
func (h *header) describe(l *offload.Layout, version byte) bool {
	if (l.Headers|l.Segment|l.Start|l.Offset)>>16 != 0 {
		return false
	}
	*h = header{}
	if l.Partial {
		h[0] = unix.VIRTIO_NET_HDR_F_NEEDS_CSUM
		binary.NativeEndian.PutUint16(h[6:], uint16(l.Start))
		binary.NativeEndian.PutUint16(h[8:], uint16(l.Offset))
	}
	switch {
	case l.Protocol == offload.None:
		return true
	case l.Protocol == offload.UDP:
		h[1] = unix.VIRTIO_NET_HDR_GSO_UDP_L4
	case version == 6:
		h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV6
	default:
		h[1] = unix.VIRTIO_NET_HDR_GSO_TCPV4
	}
	binary.NativeEndian.PutUint16(h[2:], uint16(l.Headers))
	binary.NativeEndian.PutUint16(h[4:], uint16(l.Segment))
	return true
}
