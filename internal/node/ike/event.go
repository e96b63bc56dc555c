package ike

import (
	"net/netip"
	"slices"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
)

// settle does what the machine wants done; what it wants because of that is done too.
func (k *keyer) settle(now mono.Time) {
	for i := 0; i < len(k.out.Events); i++ {
		k.event(now, k.out.Events[i])
	}
	for _, t := range k.out.Transmits {
		k.send(t)
	}
	k.out.Reset()
}

// send sends a message back to where the one came from that is being handled, or to the peer for whom its path stands.
func (k *keyer) send(t ike.Transmit) {
	m := ipsec.Message{Data: t.Data}
	switch p := k.places[t.Path.Remote]; {
	case k.origin != nil && t.Path.Remote == k.origin.Addr:
		m.To = k.origin.Source
	case p != nil:
		m.Peer, m.Opening = p.Peer, !p.up && k.origin == nil
		if k.origin != nil && (!p.up || k.sources[k.origin.Source] == p) { // until it has proved itself, only answers tell where it is
			m.To = k.origin.Source
		}
	case discard.Contains(t.Path.Remote.Addr()):
		return // to a peer that has been forgotten
	default: // where a peer says that it may be reached
		m.At = t.Path.Remote
		if p := k.places[t.Beside.Remote]; p != nil && p.addr.IsValid() {
			m.Peer, m.At = p.Peer, netip.AddrPortFrom(m.At.Addr(), p.addr.Port())
		}
	}
	k.host.Send(m)
}

// whom is the peer that an event is about; nil: a stranger, or one that was removed.
func (k *keyer) whom(name string) *peer {
	var n key.WGPublic
	if err := n.UnmarshalText([]byte(name)); err != nil {
		return nil
	}
	p := k.host.Find(n)
	if p == nil {
		return k.peers[n]
	}
	return k.of(p)
}

func (k *keyer) event(now mono.Time, e ike.Event) {
	if k.tell != nil {
		k.tell(e)
	}
	p := k.whom(e.Peer)
	if p == nil {
		return
	}
	switch e.Kind {
	case ike.EventUp:
		p.id, p.up, p.asked, p.last = e.ID, true, false, now
		p.all = append(p.all, e.ID)
		k.hear(p, e.ID)
	case ike.EventDown:
		k.down(now, p, e)
	case ike.EventRekeyed:
		p.last = now
	case ike.EventMoved, ike.EventHeard:
		k.hear(p, e.ID)
	case ike.EventChildUp:
		k.install(now, p, e)
	case ike.EventChildDown, ike.EventChildGone:
		delete(k.children, esp.SPI(e.Child.In))
		k.host.Delete(now, esp.SPI(e.Child.In))
	case ike.EventChildFailed:
		if p.id == e.ID && p.asked && e.Child.Replaces == 0 {
			p.asked = false
			p.rest.longer(now)
			k.host.GiveUp(p.Peer)
		}
	}
}

// hear follows a peer that has proved itself to where its message came from.
func (k *keyer) hear(p *peer, id ike.ID) {
	_ = k.machine.SetPath(id, p.path) // the session may have ended in the same breath
	if k.origin == nil {
		return
	}
	if p.source != k.origin.Source {
		k.leave(p)
		p.source, p.addr = k.origin.Source, k.origin.Addr
		k.sources[p.source], k.places[p.addr] = p, p
	}
	k.host.Heard(p.Peer, k.origin.Source)
}

// leave forgets where a peer was heard last.
func (k *keyer) leave(p *peer) {
	if k.sources[p.source] == p {
		delete(k.sources, p.source)
	}
	if k.places[p.addr] == p {
		delete(k.places, p.addr)
	}
}

// down forgets a session, or an attempt that has come to nothing; the Child SAs have ended before.
func (k *keyer) down(now mono.Time, p *peer, e ike.Event) {
	p.all = slices.DeleteFunc(p.all, func(id ike.ID) bool { return id == e.ID })
	if p.id != e.ID { // another has taken its place
		return
	}
	attempt := !p.up || p.asked || !p.renews.IsNever()
	p.id, p.up, p.asked, p.renews = 0, false, false, mono.Never
	if n := len(p.all); n > 0 { // of two that crossed each other the older one stays, or the peer has forgotten it, and is asked
		p.id, p.up = p.all[n-1], true
		_ = k.machine.Probe(now, p.id, &k.out) // it is up
	}
	if attempt {
		if e.Reason == ike.NotProved || e.Reason == ike.RefusedByPeer || e.Reason == ike.Unusable {
			p.rest.longer(now)
		}
		k.host.GiveUp(p.Peer)
	}
}

func (k *keyer) install(now mono.Time, p *peer, e ike.Event) {
	p.last = now
	if p.id == e.ID {
		p.asked, p.renews = p.asked && e.Child.Replaces != 0, mono.Never
	}
	keys, err := k.keysOf(e.Child)
	if keys.Waits && keys.Replaces == 0 {
		keys.Replaces = k.sealing(p) // it may be of a session in which the peer proves itself anew: then it ends the old one when it has the new
	}
	if err == nil {
		err = k.host.Install(now, p.Peer, keys)
	}
	if err != nil {
		k.host.Release(esp.SPI(e.Child.In))
		_ = k.machine.DeleteChild(now, e.ID, e.Child.In, &k.out)
		return
	}
	k.children[esp.SPI(e.Child.In)] = e.ID
	p.rest = rest{}
}

// sealing is the pair that packets to a peer leave with; 0: none.
func (k *keyer) sealing(p *peer) esp.SPI {
	for _, pair := range k.host.Pairs(p.Peer) {
		if pair.Sealing {
			return pair.Local()
		}
	}
	return 0
}
