package relayed

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/proto/relay"
)

// Times of life and death: see the package comment.
const (
	usedFor    = 3 * time.Second        // after the last packet
	stillAfter = 500 * time.Millisecond // of a used link without a sign of life
	sureFor    = 5 * time.Second        // of a used link without an answer, whatever it delivers
	askLeast   = 250 * time.Millisecond
	askMost    = 400 * time.Millisecond
	deadAfter  = 1200 * time.Millisecond
	deadTLS    = 1400 * time.Millisecond // TCP repeats what is lost, and needs time for it
	deadFed    = 5 * time.Second         // while it delivers
	deadAsks   = 3
	idleLeast  = 5 * time.Second

	byeEvery  = 500 * time.Millisecond // between questions to a relay that has said goodbye,
	byeSoon   = 10 * time.Second       // for so long, and then
	byeSeldom = 2 * time.Second

	readdressed = time.Second // before, a way past relays must have died that we now know to be dead
)

// pulse is what is known of a link's life.
type pulse struct {
	last  mono.Time // an answer came
	fed   mono.Time // packets came
	asked mono.Time // a question left
	doubt mono.Time // the first question without an answer left; Never: there is none
	next  mono.Time // the next, while in doubt
	asks  int       // without an answer
}

func (p *pulse) answered(now mono.Time) { p.last, p.doubt, p.asks = now, mono.Never, 0 }

// doubtful reports whether an answer is late: other lanes are better now.
func (p *pulse) doubtful() bool { return p.asks > 1 }

// idleEvery is how often an idle link is asked, and whether that is because the relay demands it and not the NAT.
func (n *link) idleEvery() (every time.Duration, demanded bool) {
	nat, relay := n.l.cfg.NATTimeout, time.Duration(n.welcome.Idle)*time.Second/4
	nat -= min(5*time.Second, nat/5)
	return max(idleLeast, min(relay, nat)), relay < nat
}

// due is when the next question is to leave of a link without doubt.
func (n *link) due(now mono.Time) mono.Time {
	p := &n.pulse
	if now.Sub(n.used) >= usedFor {
		every, _ := n.idleEvery()
		switch {
		case n.bye.IsNever():
		case now.Sub(n.bye) < byeSoon:
			every = byeEvery
		default:
			every = min(every, byeSeldom)
		}
		return p.last.Add(every)
	}
	return min(max(p.last, p.fed).Add(stillAfter), p.last.Add(sureFor))
}

// beat asks for a sign of life when it is time, and takes the link down when none has come.
func (n *link) beat(now mono.Time, out *Out) {
	if !n.up() {
		return
	}
	p := &n.pulse
	if p.doubt.IsNever() {
		if at := n.due(now); now.Before(at) {
			n.l.wake(at)
			return
		}
		n.ask(now, out)
		return
	}
	if now.Before(p.next) {
		n.l.wake(p.next)
		return
	}
	if now.Sub(p.doubt) >= n.patience(now) && p.asks >= deadAsks {
		n.silent(now, out)
		return
	}
	n.ask(now, out)
	switch p.asks {
	case 2:
		n.l.pursueAll(now, out)
		n.l.settleAll(now, out)
	case 3:
		if n.bound && n.conn == 0 && now.Sub(n.used) < usedFor {
			n.dial(now, out) // a new address would have been bound by now; perhaps no UDP passes any more
		}
	}
}

func (n *link) patience(now mono.Time) time.Duration {
	d := deadAfter
	if !n.bound {
		d = deadTLS
	}
	d = max(d, min(3*n.k.rtt, deadFed))
	if p := &n.pulse; p.fed > p.doubt && now.Sub(p.fed) < stillAfter {
		d = deadFed
	}
	return d
}

// ask sends a question, and from the second on a Bind with it.
func (n *link) ask(now mono.Time, out *Out) {
	p := &n.pulse
	if p.doubt.IsNever() {
		p.doubt = now
	}
	p.asks++
	p.asked = now
	p.next = now.Add(max(askLeast, min(2*n.k.rtt, askMost)))
	if end := p.doubt.Add(n.patience(now)); now.Before(end) && end.Before(p.next) {
		p.next = end
	}
	n.l.wake(p.next)
	n.send(now, relay.Control{Kind: relay.Keepalive}, n.way(), out)
	if n.bound && n.proving.IsNever() && p.asks > 1 {
		n.binding.cookies = 0
		n.sendBind(now, n.remote, out)
	}
}

// silent gives up the way that frames take: UDP for the connection, should that still be there, else the link.
func (n *link) silent(now mono.Time, out *Out) {
	if n.bound && n.conn != 0 {
		n.bound, n.proving, n.hangupAt = false, mono.Never, mono.Never
		n.pulse.answered(now)
		n.join(now, out)
		n.bind(now, out)
		n.tell(now, out)
		return
	}
	n.lose(now, out)
}

// Check asks a link whether it lives unless it has just shown that: more than before is about to hang on it, and packets that find out
// would find out late.
func (l *Links) Check(now mono.Time, slot uint8, out *Out) {
	if slot == 0 || slot > MaxSlots || l.slots[slot] == nil {
		return
	}
	n := l.slots[slot]
	n.used = now
	if n.up() && n.pulse.doubt.IsNever() && now.Sub(max(n.pulse.last, n.pulse.fed)) >= stillAfter {
		n.ask(now, out)
	}
}

// Used says that packets went to a node in a link's lane, or came from it, since the last call.
func (l *Links) Used(now mono.Time, node ident.Node, slot uint8, sent, received bool) {
	if slot == 0 || slot > MaxSlots || l.slots[slot] == nil {
		return
	}
	n := l.slots[slot]
	if received {
		n.pulse.fed = now
	}
	if was := n.used; now.Sub(was) >= usedFor {
		l.wake(now.Add(stillAfter)) // an idle link is asked sooner from now on
	}
	n.used = now
	if c := n.channels[node]; c != nil {
		c.used = now
	}
	if p := l.peers[node]; p != nil && sent {
		l.want(now, p)
	}
}

// Moved says that the host's network has changed: each relay is asked at once to take our address anew.
func (l *Links) Moved(now mono.Time, out *Out) {
	for _, n := range l.slots {
		if n != nil {
			n.pulse.doubt, n.pulse.asks = mono.Never, 0
			n.dials, n.dialAt = 0, now
			n.readdress(now, out)
			if !n.bound { // a connection does not move
				n.dial(now, out)
			}
		}
	}
	l.startSurvey(now, out)
	l.wake(now)
}

// Readdressed says that our address may be another outside, for all that a way past relays has died. It is as Moved, but that a link which is
// in doubt stays so, as perhaps nothing passes any more, and that a connection which has answered since is not made anew.
func (l *Links) Readdressed(now mono.Time, out *Out) {
	for _, n := range l.slots {
		if n == nil {
			continue
		}
		n.readdress(now, out)
		if !n.bound && (!n.up() || now.Sub(n.pulse.last) >= readdressed) {
			n.dial(now, out)
		}
	}
	l.startSurvey(now, out)
	l.wake(now)
}

// readdress has a relay take our address anew.
func (n *link) readdress(now mono.Time, out *Out) {
	n.cookie, n.seen = [16]byte{}, plain(n.seen)
	n.binding = ladder{}
	if n.bound {
		n.pulse.asks = max(n.pulse.asks, 1)
		n.ask(now, out)
		return
	}
	n.bind(now, out)
}

// NATTimeout says for how long the NAT on the way keeps an idle mapping.
func (l *Links) NATTimeout(now mono.Time, d time.Duration) {
	if d > 0 {
		l.cfg.NATTimeout = d
		l.wake(now)
	}
}
