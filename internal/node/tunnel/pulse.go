package tunnel

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// PulseEvery is how often a guide is told of what flows; pulseLast is for how long after the last packet.
const (
	PulseEvery = 100 * time.Millisecond
	pulseLast  = 3 * time.Second
)

// pulse is what the owner has seen flow to and from a peer.
type pulse struct {
	sent     uint64 // bytes
	received uint64 // packets
	last     mono.Time
}

// stir tells the owner that packets flow to or from a peer that was still. Workers call it with every batch.
func (t *Tunnel) stir(p *Peer) {
	if p.lively.Load() || !p.guided || p.lively.Swap(true) {
		return
	}
	select {
	case t.owner.stirred <- p:
	default:
		p.lively.Store(false) // the next batch tries again
	}
}

// follow looks at a peer from now on, every PulseEvery.
func (o *owner) follow(p *Peer) {
	now := o.t.clock.Now()
	if o.peers[p.key] != p || !o.guided(p) {
		p.lively.Store(false)
		return
	}
	p.pulse = &pulse{last: now}
	o.lively = append(o.lively, p)
	o.feel(now, p)
	if len(o.lively) == 1 {
		o.pulseAt = now.Add(PulseEvery)
	}
}

// pulses looks at every peer with packets, and lets go of those that have fallen still.
func (o *owner) pulses(now mono.Time) {
	if len(o.lively) == 0 || now < o.pulseAt {
		return
	}
	kept := o.lively[:0]
	for _, p := range o.lively {
		if o.peers[p.key] != p {
			continue
		}
		o.feel(now, p)
		if now.Sub(p.pulse.last) < pulseLast {
			kept = append(kept, p)
			continue
		}
		p.pulse = nil
		p.lively.Store(false)
	}
	clear(o.lively[len(kept):])
	o.lively = kept
	o.pulseAt = now.Add(PulseEvery)
}

func (o *owner) feel(now mono.Time, p *Peer) {
	was := *p.pulse
	p.pulse.sent, p.pulse.received = p.tx.bytes.Load(), p.rx.packets.Load()
	sent, received := int(p.pulse.sent-was.sent), p.pulse.received != was.received
	if sent == 0 && !received {
		return
	}
	p.pulse.last = now
	var from Origin
	if h := p.heard.Load(); h != nil {
		from = h.origin()
	}
	o.guide.Flow(now, p, sent, received, from)
}
