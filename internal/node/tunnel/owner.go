package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
)

// owner is the goroutine that owns peers, transports and paths.
type owner struct {
	t          *Tunnel
	transports [classes]Transport
	peers      map[key.WGPublic]*Peer
	out        Out
	picks      path.Out
	batch      *batch
	origin     place    // of the control message that is being handled; its id is 0 when there is none
	guide      Guide    // nil: there is none
	follower   Follower // nil: no transport is one
	spares     map[uint16]*spare
	leavings   []leaving // the oldest first
	laneAt     mono.Time // when lanes of relays are to leave from the new sockets; Never: they do
	lastSpare  uint16
	ended      chan struct{} // closed when run has returned
	acting     bool          // act is at work
	later      []func()      // what comes after it
	lively     []*Peer
	pulseAt    mono.Time
	parting    []*Peer
	partAt     mono.Time

	inbox
	crowd
}

func newOwner(t *Tunnel, b *batch) *owner {
	return &owner{t: t, peers: map[key.WGPublic]*Peer{}, spares: map[uint16]*spare{}, ended: make(chan struct{}), batch: b, inbox: newInbox(), crowd: newCrowd()}
}

// build makes what works for the tunnel.
func (o *owner) build(c Config) (err error) {
	for class, build := range c.Transports {
		if o.transports[class], err = build(o); err != nil {
			return fmt.Errorf("start the tunnel: %w", err)
		}
	}
	o.follower, _ = o.transports[IKE].(Follower)
	if c.Guide == nil {
		return nil
	}
	if o.guide, err = c.Guide(o); err != nil {
		return fmt.Errorf("start the tunnel: %w", err)
	}
	return nil
}

// Find implements Host.
func (o *owner) Find(k key.WGPublic) *Peer { return o.peers[k] }

// Clock implements Host.
func (o *owner) Clock() mono.Clock { return o.t.clock }

// run works until stop.
func (o *owner) run() {
	defer close(o.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-o.closed:
			o.leave(mono.Never)
			return
		case ask := <-o.asks:
			ask()
		case s := <-o.notes:
			o.attend(s)
		case p := <-o.wishes:
			o.wake(p)
		case p := <-o.stirred:
			o.follow(p)
		case m := <-o.messages:
			o.control(m)
			o.controlMore()
		case <-timer.C:
		}
		o.tick()
		_ = o.batch.flush() // it fails only when the tunnel is being closed
		timer.Reset(o.wait())
	}
}

func (o *owner) control(m *message) {
	now := o.t.clock.Now()
	if m.class.guide() {
		if why := o.guide.Message(now, m.class, m.from.origin(), m.data[:m.n]); why != OK {
			o.t.drop(why, 1)
		}
		o.recycle(m)
		return
	}
	tr := o.transports[m.class]
	if o.pressed.Swap(false) {
		tr.Press(now)
	}
	o.origin = m.from
	why := tr.Control(now, m.from.origin(), m.data[:m.n], &o.out)
	if why != OK {
		o.t.drop(why, 1)
	}
	o.watch(now, why)
	o.act(now)
	o.origin = place{}
	o.recycle(m)
}

// controlMore handles messages that have come meanwhile, so that a flood of them costs one round of everything else for many.
func (o *owner) controlMore() {
	for range messagesPerTurn {
		select {
		case m := <-o.messages:
			o.control(m)
		default:
			return
		}
	}
}

func (o *owner) attend(s Session) {
	now := o.t.clock.Now()
	o.transports[s.Class().protocol()].Attend(now, s, &o.out)
	o.act(now)
}

// wake has a session made for a peer with waiting packets.
func (o *owner) wake(p *Peer) {
	if o.peers[p.key] != p { // removed meanwhile
		return
	}
	now := o.t.clock.Now()
	if s := p.sealer.Load(); s != nil && s.Class().protocol() == p.protocol && s.Usable(now) && p.waiting.len() == 0 { // it has come since
		return
	}
	o.want(now, p)
}

// begin makes a session with a peer.
func (o *owner) begin(now mono.Time, p *Peer) {
	if !p.knows(p.protocol) && !o.put(now, p) {
		o.t.forsake(p, NoSession)
		return
	}
	if p.outslept {
		o.transport(p).Renew(now, p, &o.out)
	} else {
		o.transport(p).Wake(now, p, &o.out)
	}
	o.act(now)
}

// put tells the transport what a peer is configured with.
func (o *owner) put(now mono.Time, p *Peer) bool {
	if err := o.transport(p).Put(now, p, &o.out); err != nil {
		o.t.log.Warn("peer not reached", logx.Peer, p.key.Short(), logx.Err, err)
		return false
	}
	p.speaks(p.protocol).known = true
	o.act(now)
	return true
}

// transport is the protocol that is chosen for a peer.
func (o *owner) transport(p *Peer) Transport { return o.transports[p.protocol] }

func (o *owner) tick() {
	for _, tr := range o.transports {
		if tr == nil {
			continue
		}
		now := o.t.clock.Now()
		if d := tr.Deadline(); !d.IsNever() && d <= now {
			tr.Tick(now, &o.out)
			o.act(now)
		}
	}
	now := o.t.clock.Now()
	o.part(now)
	o.relane(now)
	o.leave(now)
	if o.guide == nil {
		return
	}
	o.pulses(now)
	if d := o.guide.Deadline(); !d.IsNever() && d <= now {
		o.guide.Tick(now)
	}
}

// wait is how long nothing is due.
func (o *owner) wait() time.Duration {
	next := mono.Never
	for _, tr := range o.transports {
		if tr != nil {
			next = mono.Earlier(next, tr.Deadline())
		}
	}
	if len(o.parting) > 0 {
		next = mono.Earlier(next, o.partAt)
	}
	if len(o.leavings) > 0 {
		next = mono.Earlier(next, mono.Earlier(o.laneAt, o.leavings[0].until))
	}
	if o.guide != nil {
		next = mono.Earlier(next, o.guide.Deadline())
		if len(o.lively) > 0 {
			next = mono.Earlier(next, o.pulseAt)
		}
	}
	if next.IsNever() {
		return time.Hour
	}
	return o.t.clock.Until(next)
}

// act does what a transport wants done. Events come first: a session must receive before the message leaves that makes the peer use it.
// What the guide makes of an event, and would call the transport for, comes after all.
func (o *owner) act(now mono.Time) {
	o.acting = true
	for i := range o.out.Events {
		o.event(now, &o.out.Events[i])
	}
	for i := range o.out.Transmits {
		o.transmit(now, &o.out.Transmits[i])
	}
	o.out.reset()
	o.acting = false
	for len(o.later) > 0 {
		next := o.later[0]
		o.later = o.later[1:]
		next()
	}
}

// after calls f, now or when what is going on has been done.
func (o *owner) after(f func()) {
	if o.acting {
		o.later = append(o.later, f)
		return
	}
	f()
}

func (o *owner) event(now mono.Time, e *Event) {
	p := e.Peer
	switch e.Kind {
	case Known:
		c := p.protocol
		if e.Protocol != Unknown {
			c = e.Protocol
		}
		p.speaks(c).known = true
		if c != p.protocol {
			o.parts(now, p)
		}
	case Offered:
		o.t.offered.put(address{lo: uint64(e.Index)}, struct{}{})
	case Withdrawn:
		o.t.offered.remove(address{lo: uint64(e.Index)})
	case Installed:
		o.t.offered.remove(address{lo: uint64(e.Session.Index())})
		o.t.sessions[e.Session.Class()].put(address{lo: uint64(e.Session.Index())}, &receiving{Session: e.Session, peer: p})
	case Retired:
		o.t.sessions[e.Session.Class()].remove(address{lo: uint64(e.Session.Index())})
		if s := p.sealer.Load(); s != nil && s.Session == e.Session {
			p.sealer.Store(nil)
		}
		if sp := p.speaks(e.Session.Class()); sp.current != nil && sp.current.Session == e.Session {
			sp.current = nil
		}
	case Current:
		o.current(now, p, e.Session)
	case Heard:
		o.heard(p, e.Source)
	case Bypassed:
		o.bypassed(e)
	case Mismatched:
		if o.guided(p) {
			o.guide.Mismatch(now, p)
		}
	case GaveUp:
		if e.Protocol != Unknown && e.Protocol != p.protocol {
			break
		}
		p.opening = nil
		o.t.forsake(p, NoSession)
	}
}

// current takes note of a session that a transport would have packets sealed with. That of a protocol which is not chosen is kept.
func (o *owner) current(now mono.Time, p *Peer, s Session) {
	c, made := s.Class().protocol(), p.sealing(s)
	p.speaks(c).current = made
	if c != p.protocol {
		return
	}
	p.outslept = false
	if o.origin.id != 0 {
		o.answered(now, p)
	}
	o.seal(now, p, made)
}

// heard follows a peer to where it was heard from.
func (o *owner) heard(p *Peer, from Source) {
	to := p.heard.Load()
	if o.origin.id == from {
		to = &Path{place: o.origin}
		p.heard.Store(to)
	}
	if to == nil || to == p.path.Load() {
		return
	}
	if o.guided(p) {
		o.guide.Heard(o.t.clock.Now(), p, to.origin())
		return
	}
	p.path.Store(to)
	o.measure(p)
	o.t.log.Debug("peer is reached here", logx.Peer, p.key.Short(), logx.Addr, to.remote)
}

// answered takes note of the answer to an opening of ours.
func (o *owner) answered(now mono.Time, p *Peer) {
	p.opening = nil
	if o.guided(p) {
		o.guide.Heard(now, p, o.origin.origin())
		return
	}
	if p.path.Load() == nil {
		p.path.Store(&Path{place: o.origin})
	}
	p.picker.Heard(now, o.origin.remote, &o.picks)
	o.tell(p)
}

// transmit sends a control message.
func (o *owner) transmit(now mono.Time, m *Transmit) {
	p := m.Peer
	switch {
	case m.To != 0 && m.To == o.origin.id:
		if p != nil {
			p.tx.add(1, len(m.Data))
		}
		o.send(m.Data, o.origin)
	case m.At.IsValid():
		if o.t.refuses(m.At.Addr()) {
			o.t.drop(NoPath, 1)
			return
		}
		if p != nil {
			p.tx.add(1, len(m.Data))
		}
		o.send(m.Data, o.t.placeOf(m.At, netip.Addr{}, nil))
	case m.Opening:
		o.open(now, p, m.Data)
	case p == nil || p.path.Load() == nil && !o.found(now, p):
		o.t.drop(NoPath, 1)
	default:
		p.tx.add(1, len(m.Data))
		o.send(m.Data, p.path.Load().place)
	}
}

// found has a way looked for to a peer that IKE has something to say to: the way of a pair at rest is given up, and its keys are not. Who says it
// says it again if there is none yet.
func (o *owner) found(now mono.Time, p *Peer) bool {
	if o.guided(p) && p.protocol == IKE && o.peers[p.key] == p {
		o.guide.Wanted(now, p)
	}
	return p.path.Load() != nil
}

// refuses reports whether no peer is at an address, whoever says so.
func (t *Tunnel) refuses(a netip.Addr) bool {
	return path.Forbidden(a) || slices.ContainsFunc(t.refused, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

// open sends a message that begins a session wherever the peer might be.
func (o *owner) open(now mono.Time, p *Peer, data []byte) {
	p.opening = append(p.opening[:0], data...)
	var using netip.AddrPort
	to := p.path.Load()
	if o.guided(p) { // without a way it waits until there is one
		if to != nil {
			p.tx.add(1, len(data))
			o.send(data, to.place)
		}
		return
	}
	if to != nil {
		using = to.remote
	}
	p.picker.Open(now, using, &o.picks)
	if len(o.picks.Transmits) == 0 {
		o.t.refuse(p, NoPath, 1)
	}
	o.spread(p, to)
}

// spread sends a peer's opening where the picker says.
func (o *owner) spread(p *Peer, to *Path) {
	for _, at := range o.picks.Transmits {
		if p.opening == nil {
			break
		}
		at := place{remote: at}
		if to != nil && at.remote == to.remote {
			at = to.place
		}
		p.tx.add(1, len(p.opening))
		o.send(p.opening, at)
	}
	o.tell(p)
}

// tell logs what happened to a path, and empties what the picker said.
func (o *owner) tell(p *Peer) {
	for _, e := range o.picks.Events {
		if e.Kind == path.PathProven {
			o.t.log.Debug("peer has answered", logx.Peer, p.key.Short(), logx.Addr, e.Addr)
		}
	}
	o.picks.Reset()
}

// send sends one datagram before the owner rests again. What the system refuses is counted by the socket.
func (o *owner) send(data []byte, to place) {
	if to.peer != nil && to.lane == nil {
		using := to.peer.path.Load()
		if using == nil || using.id != to.id {
			o.guide.Carry(o.t.clock.Now(), to.peer, to.slot, data)
			return
		}
		to = using.place
	}
	_ = o.batch.put(data, &to) // it fails only when the tunnel is being closed
}
