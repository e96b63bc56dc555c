package tunnel

import (
	"net/netip"
	"sync"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/fit"
	"github.com/cvlan/cvlan/internal/core/offload"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

const (
	// minInner is what IPv6 asks of every link (RFC 8200, section 5). On narrower paths the outer datagrams are fragmented.
	minInner = 1280
	// minProbed is the least that IPv4 is told where probes find a black hole: nobody fragments on such a path.
	minProbed = 576
	// dataOverhead is what the protocols add to a packet of the inside's full size: WireGuard 32, ESP with AES-GCM 16 + 2 + 16 and padding.
	// A session that adds more says so (ESP with AES-CBC: 57). One number for both, so that a change of protocol changes nobody's MTU.
	dataOverhead = 37
	udpHeader    = 8
	// padding is a multiple of what packets are padded to: 16 by WireGuard, 4 by ESP.
	padding = 16
)

// measure asks the system how wide a peer's path is. The answer is a hint (ICMP may be lost or lie) that can only make packets smaller, and
// never smaller than minInner; it is asked for again with every new session. Where the system knows that a path is narrow it fragments what
// is longer, so that probes of the guide pass which are longer than the path is wide: its hint counts beside what they found.
func (o *owner) measure(p *Peer) {
	defer o.moved(p)
	to := p.path.Load()
	if to == nil {
		return
	}
	o.hint(to)
	mtu := o.t.mtu()
	limit, adds := mtu, dataOverhead
	if s := p.sealer.Load(); s != nil {
		adds = max(adds, s.Overhead())
	}
	if to.probed > 0 {
		limit = atMost(limit, to.probed-adds, minProbed)
	}
	hole := limit < mtu
	if to.hinted {
		probed := limit
		limit = atMost(limit, to.wide-ipHeader(to.remote.Addr())-udpHeader-adds-to.head(), minInner)
		hole = hole && limit == probed
	}
	to.hole.Store(hole)
	if limit == mtu {
		limit = 0
	}
	to.limit.Store(int32(limit))
}

// atMost lowers a limit to a size, such that what fits still does when it has been padded.
func atMost(limit, size, least int) int {
	if size >= limit {
		return limit
	}
	return min(limit, max(size&^(padding-1), least))
}

// hint asks the system for the MTU on the way to where a path's datagrams go. To a connection none matters.
func (o *owner) hint(to *Path) {
	if o.t.pathMTU == nil || !to.remote.IsValid() || to.lane != nil && to.lane.Carrier != nil {
		return
	}
	if wide, err := o.t.pathMTU(to.remote.Addr()); err == nil {
		to.wide, to.hinted = wide, true
	}
}

func ipHeader(a netip.Addr) int {
	if a.Is4() {
		return 20
	}
	return 40
}

// mustCut reports whether packets of a size have to be cut, because nothing longer than the limit passes on the way to a peer, and their sender
// cannot be told so little or need not be.
func (t *Tunnel) mustCut(p *Peer, packet []byte, size, limit int) bool {
	to := p.path.Load()
	if size <= limit || to == nil || !to.hole.Load() {
		return false
	}
	return mayFragment(packet) || packet[0]>>4 == 6 && size <= minInner
}

// mayFragment reports whether the sender of a packet allows that it is fragmented on its way.
func mayFragment(packet []byte) bool {
	return packet[0]>>4 == 4 && packet[6]&0x40 == 0
}

// exit is a queue of the TUN device towards the host. Its worker and the notices to the host share it.
type exit struct {
	tun.Queue
	mu sync.Mutex // taken once a batch
}

func (x *exit) write(runs []offload.Run) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.Write(runs)
}

// noticeEvery and noticeBurst bound what the host is told.
const (
	noticeEvery = 10 * time.Millisecond
	noticeBurst = 10
)

// notices are the ICMP messages that a worker writes to the host about its own packets.
type notices struct {
	to    *exit
	due   mono.Time // when all that were sent would have been due at the exact rate
	buf   [fit.Room]byte
	parts [1][]byte
	runs  [1]offload.Run
}

// tooBig tells the sender of a packet how much fits (RFC 1191, RFC 8201).
func (n *notices) tooBig(now mono.Time, packet []byte, mtu int) {
	if n.due = max(n.due, now); n.due.Sub(now) > noticeEvery*(noticeBurst-1) {
		return
	}
	msg := fit.TooBig(n.buf[:0], packet, mtu, netip.Addr{})
	if msg == nil {
		return
	}
	n.due = n.due.Add(noticeEvery)
	n.parts[0] = msg
	n.runs[0] = offload.Run{Parts: n.parts[:]}
	_ = n.to.write(n.runs[:]) // a device that is gone ends the worker at its next read
}
