package tunnel

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
)

// A tunnel may speak several protocols. With each peer one of them is chosen, by which packets are sealed; the peer chooses the same, but
// not at the same instant. So every protocol answers, and what comes by any of them is opened. When another is chosen, packets go by the old
// until the new has a session, and the old is forgotten when nothing has come by it for long enough.
const (
	partEvery = 10 * time.Second
	// partAfter is for how long nothing must have come. It is as long as a session of WireGuard lives: a peer that has not switched makes a
	// new one then in any case.
	partAfter = 180 * time.Second
	protocols = 2
)

// speech is what the owner knows of one protocol with one peer.
type speech struct {
	known   bool     // the transport has the peer
	current *sealing // what it would have packets sealed with; nil: nothing
	quiet   uint8    // for so many looks nothing has come by it
}

// side is the number of a protocol among speeches.
func (c Class) side() int {
	if c == IKE || c == ESP {
		return 1
	}
	return 0
}

// sealsIPsec is set where IPsec is chosen.
const sealsIPsec = 1 << protocols

// bit is the flag of something that was received by a class's protocol.
func (c Class) bit() uint32 { return 1 << c.protocol().side() }

// Other is the protocol that is not this one.
func (c Class) Other() Class {
	if c == IKE {
		return WireGuard
	}
	return IKE
}

// Protocol names what a class belongs to, for people.
func (c Class) Protocol() string {
	switch c {
	case IKE, ESP:
		return "ipsec"
	case WireGuard, WireGuardData:
		return "wireguard"
	}
	return ""
}

// Protocol is the class of the messages by which packets for the peer are keyed: WireGuard or IKE. It is the owner's.
func (p *Peer) Protocol() Class { return p.protocol }

func (p *Peer) speaks(c Class) *speech {
	if p.speeches == nil {
		p.speeches = new([protocols]speech)
	}
	return &p.speeches[c.side()]
}

// knows reports whether a protocol's transport has the peer.
func (p *Peer) knows(c Class) bool {
	return p.speeches != nil && p.speeches[c.side()].known
}

// seals is the protocol that a packet for the peer would leave by now.
func (p *Peer) seals() Class {
	if s := p.sealer.Load(); s != nil {
		return s.Class().protocol()
	}
	if p.flags.Load()&sealsIPsec != 0 {
		return IKE
	}
	return WireGuard
}

// chosen is what a configuration chooses, as far as this tunnel speaks it.
func (o *owner) chosen(c PeerConfig) (Class, bool) {
	if c.Protocol != Unknown {
		return c.Protocol, o.transports[c.Protocol] != nil
	}
	if o.transports[WireGuard] != nil {
		return WireGuard, true
	}
	return IKE, true
}

// choose has packets for a peer sealed by a protocol, as soon as that has a session; strict: by nothing else from now on.
func (o *owner) choose(now mono.Time, p *Peer, c Class, strict bool) {
	if p.protocol == c {
		if s := p.sealer.Load(); strict && s != nil && s.Class().protocol() != c {
			p.sealer.Store(nil)
		}
		return
	}
	first := p.protocol == Unknown
	p.protocol, p.opening = c, nil
	if p.flags.And(^uint32(sealsIPsec)); c == IKE {
		p.flags.Or(sealsIPsec)
	}
	if first {
		return
	}
	o.t.log.Debug("peer is spoken with by", logx.Peer, p.key.Short(), "protocol", c.Protocol())
	live := p.sealer.Load() != nil
	if strict {
		p.sealer.Store(nil)
	}
	o.parts(now, p)
	o.moved(p)
	if s := p.speaks(c).current; s != nil && s.Usable(now) {
		o.seal(now, p, s)
	} else if live || p.waiting.len() > 0 {
		o.want(now, p)
	}
}

// seal has packets sealed by a session, and sends those that waited for it.
func (o *owner) seal(now mono.Time, p *Peer, s *sealing) {
	if err := o.t.release(now, p, s, o.batch); err != nil {
		o.t.log.Debug("waiting packets not sent", logx.Peer, p.key.Short(), logx.Err, err)
	}
	o.measure(p)
}

// want has a session made, when the guide says that it may begin.
func (o *owner) want(now mono.Time, p *Peer) {
	if !o.guided(p) || o.guide.Wanted(now, p) {
		o.begin(now, p)
	}
}

// parts looks from time to time whether the protocol that is not chosen is still in use with a peer.
func (o *owner) parts(now mono.Time, p *Peer) {
	old := p.protocol.Other()
	if !p.knows(old) {
		return
	}
	if p.speaks(old).quiet = 0; p.parting {
		return
	}
	p.parting = true
	if len(o.parting) == 0 {
		o.partAt = now.Add(partEvery)
	}
	o.parting = append(o.parting, p)
}

// part lets go of protocols that are in use no longer. While the chosen one has no session it is wanted anew.
func (o *owner) part(now mono.Time) {
	if len(o.parting) == 0 || now < o.partAt {
		return
	}
	kept, all := o.parting[:0], o.parting
	for _, p := range all {
		if o.peers[p.key] == p && !o.parted(now, p) {
			kept = append(kept, p)
			continue
		}
		p.parting = false
	}
	clear(all[len(kept):])
	o.parting = kept
	o.partAt = now.Add(partEvery)
}

// parted reports whether the protocol that is not chosen is no longer in use.
func (o *owner) parted(now mono.Time, p *Peer) bool {
	old := p.protocol.Other()
	if !p.knows(old) {
		return true
	}
	sp := p.speaks(old)
	switch s := p.sealer.Load(); {
	case p.flags.And(^old.bit())&old.bit() != 0:
		sp.quiet = 0
	case s != nil && s.Class().protocol() == old:
	default:
		sp.quiet++
	}
	if s := p.sealer.Load(); s != nil && s.Class().protocol() == old {
		o.want(now, p)
	}
	if time.Duration(sp.quiet)*partEvery < partAfter {
		return false
	}
	o.forget(p, old)
	return true
}

// forget ends a protocol with a peer.
func (o *owner) forget(p *Peer, c Class) {
	if !p.knows(c) {
		return
	}
	o.transports[c].Remove(p, &o.out)
	o.act(o.t.clock.Now())
	*p.speaks(c) = speech{}
}
