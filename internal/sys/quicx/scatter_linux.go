package quicx

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// scatterMost is how many trains are read in one call of the system.
	scatterMost = 4
	// scatterSize is how long a train may be that the system makes of what comes: as long as an IP packet.
	scatterSize = 1 << 16
	// scatterControl has room for what quic-go asks for, its 128 bytes, and for the size of a train's datagrams.
	scatterControl = 192
)

// scatterer takes apart what the system hands out together: datagrams of one sender that came in a row (UDP GRO, udp(7)). quic-go reads eight datagrams in a call, and the system
// cuts a train that another gatherer has sent on the same machine, or the network's device has received, before it hands it to a socket that takes none. Copying costs a tenth of that.
//
// It is used by one goroutine.
type scatterer struct {
	read     func(ms []ipv4.Message, flags int) (int, error)
	together bool // the system hands out trains
	came     func(netip.AddrPort)

	ms      [scatterMost]ipv4.Message
	n, at   int    // those that were read last, and which is handed out
	rest    []byte // of that
	size    int    // of its datagrams
	control []byte // its control data
}

// scattered has a socket receive trains, if the system can.
func scattered(u *net.UDPConn, came func(netip.AddrPort)) *scatterer {
	if came == nil {
		came = func(netip.AddrPort) {}
	}
	s := &scatterer{read: ipv4.NewPacketConn(u).ReadBatch, came: came}
	if rc, err := u.SyscallConn(); err == nil {
		rc.Control(func(fd uintptr) { s.together = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil })
	}
	if s.together {
		for i := range s.ms {
			s.ms[i].Buffers, s.ms[i].OOB = [][]byte{make([]byte, scatterSize)}, make([]byte, scatterControl)
		}
	}
	return s
}

// ReadBatch reads at least one datagram, and waits only for that. What does not fit is cut, as the system would.
func (s *scatterer) ReadBatch(ms []ipv4.Message, flags int) (n int, err error) {
	if !s.together {
		n, err = s.read(ms, flags)
		for i := range max(n, 0) {
			s.came(AddrPort(ms[i].Addr))
		}
		return n, err
	}
	for {
		for n < len(ms) && s.next(&ms[n]) {
			n++
		}
		if n > 0 {
			return n, nil
		}
		s.at = -1
		if s.n, err = s.read(s.ms[:], flags); err != nil || s.n == 0 {
			s.n = 0
			return 0, err
		}
	}
}

// next hands out a datagram; false if none is left.
func (s *scatterer) next(m *ipv4.Message) bool {
	for len(s.rest) == 0 {
		if s.at+1 >= s.n {
			return false
		}
		s.at++
		train := &s.ms[s.at]
		s.rest = train.Buffers[0][:train.N]
		s.control, s.size = takeSize(train.OOB[:train.NN])
		if s.size == 0 {
			s.size = len(s.rest)
		}
		s.came(AddrPort(train.Addr))
	}
	size := min(s.size, len(s.rest))
	m.N, m.NN, m.Addr, m.Flags = copy(m.Buffers[0], s.rest[:size]), copy(m.OOB, s.control), s.ms[s.at].Addr, 0
	s.rest = s.rest[size:]
	return true
}

// takeSize takes what says of what size a train's datagrams are out of control data; 0: it is one datagram.
func takeSize(control []byte) (rest []byte, size int) {
	for at := control; len(at) > 0; {
		h, data, after, err := unix.ParseOneSocketControlMessage(at)
		if err != nil {
			return control, 0
		}
		if h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4 {
			size = int(int32(binary.NativeEndian.Uint32(data)))
			before := len(control) - len(at)
			return append(control[:before], after...), max(size, 0)
		}
		at = after
	}
	return control, 0
}
