package sock

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// name is the memory of a socket address of either family.
type name unix.RawSockaddrInet6

// set writes an address as a socket takes it: IPv4 is mapped unless the socket is IPv4 only.
func (n *name) set(to netip.AddrPort, only4 bool) {
	if only4 {
		v := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		v.Addr = to.Addr().As4()
		bigEndian(&v.Port, to.Port())
		return
	}
	n.Addr = to.Addr().As16()
	bigEndian(&n.Port, to.Port())
}

// get reads what the kernel has written; IPv4 comes in its own form.
func (n *name) get() netip.AddrPort {
	port := (*[2]byte)(unsafe.Pointer(&n.Port)) // at the same place in both families
	p := uint16(port[0])<<8 | uint16(port[1])
	if n.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(n)).Addr), p)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(n.Addr).Unmap(), p)
}

func bigEndian(at *uint16, v uint16) {
	b := (*[2]byte)(unsafe.Pointer(at))
	b[0], b[1] = byte(v>>8), byte(v)
}

// nameSize is how long the name of a family is.
func nameSize(family int) uint32 {
	if family == unix.AF_INET {
		return unix.SizeofSockaddrInet4
	}
	return unix.SizeofSockaddrInet6
}

// sendControl is the control data of a message to send: either part, or both. The compiler lays it out as CMSG_SPACE says on every
// architecture, since a Cmsghdr begins with a size_t and the kernel aligns to that.
type sendControl struct {
	segment segmentControl
	source  sourceControl
}

type segmentControl struct {
	unix.Cmsghdr
	size uint16
}

// sourceControl has room for the larger of both families.
type sourceControl struct {
	unix.Cmsghdr
	unix.Inet6Pktinfo
}

type sourceControl4 struct {
	unix.Cmsghdr
	unix.Inet4Pktinfo
}

// segmentSpace is the size of that part with padding, in bytes.
const segmentSpace = int(unsafe.Sizeof(segmentControl{}))

// sourceSpace is the size of the other.
func sourceSpace(only4 bool) int {
	if only4 {
		return int(unsafe.Sizeof(sourceControl4{}))
	}
	return int(unsafe.Sizeof(sourceControl{}))
}

// prepare writes what stays the same.
func (c *sendControl) prepare(only4 bool) {
	c.segment.Level, c.segment.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	c.segment.SetLen(unix.CmsgLen(2))
	c.source.Level, c.source.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	c.source.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	if only4 {
		c.source.Level, c.source.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		c.source.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	}
}

// setSource writes the address to send from. The kernel takes a mapped one for IPv4 (ip_cmsg_send).
func (c *sourceControl) setSource(from netip.Addr, only4 bool) {
	if only4 {
		(*sourceControl4)(unsafe.Pointer(c)).Spec_dst = from.As4()
		return
	}
	c.Addr = from.As16()
}

// getSource reads it back.
func (c *sourceControl) getSource(only4 bool) netip.Addr {
	if only4 {
		return netip.AddrFrom4((*sourceControl4)(unsafe.Pointer(c)).Spec_dst)
	}
	return netip.AddrFrom16(c.Addr).Unmap()
}

// controlRoom is enough for what the kernel tells of a message: packet information (20 bytes at most) and the segments' size (an
// int), with their headers.
const controlRoom = 96

// readControl finds in control data which address was reached and how large the segments are; a segment of 0: there is one.
func readControl(control []byte) (local netip.Addr, segment int) {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(control)))
		size := uint64(h.Len)
		if size < unix.SizeofCmsghdr || size > uint64(len(control)) {
			break
		}
		data := control[unix.CmsgLen(0):size]
		switch {
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			local = netip.AddrFrom16([16]byte(data)).Unmap()
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			local = netip.AddrFrom4([4]byte(data[4:8])) // ipi_spec_dst: ours, even if a broadcast was reached
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			segment = int(*(*int32)(unsafe.Pointer(unsafe.SliceData(data))))
		}
		control = control[min(unix.CmsgSpace(len(data)), len(control)):]
	}
	return local, segment
}
