package wg

import (
	"math"
	"net/netip"
	"time"

	"golang.zx2c4.com/wireguard/device"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
)

// queueLimit is how many packets wait for a session; the oldest go first, as in the library.
const queueLimit = 128

// memoryPeer is one peer of a Memory: what WireGuard's timers and sessions come to, without the cryptography. The Memory's lock
// guards it.
type memoryPeer struct {
	m       *Memory
	state   PeerState
	allowed []netip.Prefix
	picker  path.Picker
	out     path.Out

	previous, current session
	next              session // the peer's, until its first data shows that our answer came
	latest            uint64  // stamp of the peer's latest opening: older ones are replays

	asking   uint64 // stamp of our opening; 0: none waits
	attempts int
	queue    []*inner

	retry     *time.Timer // the opening again
	silence   *time.Timer // the peer owes us a sign of life
	owed      bool        // and that timer runs
	keepalive *time.Timer // we owe it one
	owing     bool        // and that timer runs
}

// session is a pair of keys in the library.
type session struct {
	stamp     uint64 // 0: none
	born      mono.Time
	initiator bool
}

func newMemoryPeer(m *Memory, k key.WGPublic) *memoryPeer {
	p := &memoryPeer{m: m, state: PeerState{Key: k}}
	locked := func(f func()) func() {
		return func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if !m.closed && m.peers[k] == p {
				f()
			}
		}
	}
	timer := func(f func()) *time.Timer {
		t := time.AfterFunc(time.Duration(math.MaxInt64), locked(f))
		t.Stop()
		return t
	}
	p.retry, p.silence, p.keepalive = timer(p.again), timer(p.fellSilent), timer(func() { p.transmit(nil) })
	return p
}

func (p *memoryPeer) stop() {
	p.retry.Stop()
	p.silence.Stop()
	p.keepalive.Stop()
}

func (p *memoryPeer) setCandidates(all []netip.AddrPort) {
	p.picker.SetCandidates(p.m.clock.Now(), all, &p.out)
	p.spread()
}

func (p *memoryPeer) wake() {
	p.picker.Wake(p.m.clock.Now(), &p.out)
	p.spread()
	if p.alive() && p.asking == 0 {
		p.open()
	}
}

// alive reports whether there is a session to send in.
func (p *memoryPeer) alive() bool {
	return p.current.stamp != 0 && p.m.clock.Now().Sub(p.current.born) < device.RejectAfterTime
}

// send gives a packet to the session, or to the queue until there is one.
func (p *memoryPeer) send(in *inner) {
	if p.alive() {
		p.transmit(in)
		return
	}
	if len(p.queue) == queueLimit {
		p.queue = p.queue[1:]
	}
	p.queue = append(p.queue, in)
	if p.asking == 0 {
		p.attempts = 0
		p.open()
	}
}

// transmit sends data in the session; nil is a keepalive.
func (p *memoryPeer) transmit(in *inner) {
	if !p.alive() {
		return
	}
	p.say(p.state.Endpoint, message{kind: data, session: p.current.stamp, inner: in})
	p.keepalive.Stop()
	p.owing = false
	if in != nil && !p.owed {
		p.silence.Reset(device.KeepaliveTimeout + device.RekeyTimeout)
		p.owed = true
	}
	if p.current.initiator && p.m.clock.Now().Sub(p.current.born) > device.RekeyAfterTime && p.asking == 0 {
		p.attempts = 0
		p.open()
	}
}

// fellSilent is called when the peer has not answered data for a while.
func (p *memoryPeer) fellSilent() {
	p.owed = false
	if p.asking == 0 {
		p.attempts = 0
		p.open()
	}
}

// open sends an opening wherever the peer might be, and again until it is answered.
func (p *memoryPeer) open() {
	p.asking = p.m.fabric.next()
	p.picker.Open(p.m.clock.Now(), p.state.Endpoint, &p.out)
	p.spread()
	p.retry.Reset(device.RekeyTimeout)
}

// again repeats an opening that was not answered, for a time; what waits for it is given up after that.
func (p *memoryPeer) again() {
	if p.attempts++; p.attempts > device.MaxTimerHandshakes {
		p.asking, p.queue = 0, nil
		return
	}
	p.open()
}

// spread sends the opening that waits to the addresses that the Picker chose.
func (p *memoryPeer) spread() {
	if p.asking != 0 {
		for _, to := range p.out.Transmits {
			p.say(to, message{kind: opening, session: p.asking})
		}
	}
	p.out.Reset()
}

// say sends a message from an outside address of the same family.
func (p *memoryPeer) say(to netip.AddrPort, msg message) {
	msg.from = p.m.public
	for _, a := range p.m.at {
		if a.Is4() == to.Addr().Is4() {
			p.state.TxBytes += msg.size()
			p.m.fabric.send(netip.AddrPortFrom(a, p.m.port), to, msg)
			return
		}
	}
}

// opened takes the peer's opening. Only the first copy counts.
func (p *memoryPeer) opened(from netip.AddrPort, msg message) {
	if msg.session <= p.latest {
		return
	}
	p.latest = msg.session
	p.heardFrom(from, msg)
	p.next = session{stamp: msg.session, born: p.m.clock.Now()}
	p.say(from, message{kind: answer, session: msg.session})
}

// answered takes the answer to our opening.
func (p *memoryPeer) answered(from netip.AddrPort, msg message) {
	if p.asking == 0 || msg.session != p.asking {
		return
	}
	p.asking = 0
	p.retry.Stop()
	p.heardFrom(from, msg)
	p.picker.Heard(p.m.clock.Now(), from, &p.out)
	p.spread()
	p.begin(session{stamp: msg.session, born: p.m.clock.Now(), initiator: true})
	if len(p.queue) == 0 {
		p.transmit(nil) // tells the peer that its answer has come
	}
	p.flush()
}

// received takes data.
func (p *memoryPeer) received(from netip.AddrPort, msg message) {
	switch msg.session {
	case p.next.stamp:
		p.begin(p.next)
		p.next = session{}
	case p.current.stamp, p.previous.stamp:
	default:
		return // of a session that was forgotten
	}
	p.heardFrom(from, msg)
	p.flush()
	if msg.inner == nil {
		return
	}
	if !p.owing {
		p.keepalive.Reset(device.KeepaliveTimeout)
		p.owing = true
	}
	p.m.arrive(p, msg.inner)
}

// begin makes a session the one to send in.
func (p *memoryPeer) begin(s session) {
	p.previous, p.current = p.current, s
	p.state.LastHandshake = time.Now()
}

// flush sends what has waited for a session.
func (p *memoryPeer) flush() {
	queue := p.queue
	p.queue = nil
	for _, in := range queue {
		p.send(in)
	}
}

// heardFrom is called for every authentic message: the peer is alive, and there.
func (p *memoryPeer) heardFrom(from netip.AddrPort, msg message) {
	p.state.Endpoint = from
	p.state.RxBytes += msg.size()
	p.silence.Stop()
	p.owed = false
}
