package tunnel

import (
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// A transport may have a peer's packets carried around the tunnel, by the kernel. Then no worker sees them, and no filter does: so that is only
// for what the filter would let pass in any case (Host.Free). The transport is told of everything that may change that (Follower), and tells
// what was carried (Bypassed).

// Free is what passes between this node and a peer, both ways and whoever begins, whatever the filter is asked.
type Free struct {
	Ours, Theirs []netip.Addr
	Protocols    []uint8 // of IP; nil: all. Nothing else passes
}

// Unfiltered is a Filter that knows what it lets pass in any case. Any other is asked about every packet.
type Unfiltered interface {
	// Unfiltered returns the protocols of which everything passes between two addresses, while nothing of the others does; nil for all of
	// them. false: it depends.
	Unfiltered(ours, theirs netip.Addr) (protocols []uint8, ok bool)
}

// Follower is a Transport that wants to know of changes.
type Follower interface {
	// Moved says that a peer's way has changed, or what passes between it and this node, or that another protocol was chosen.
	Moved(now mono.Time, p *Peer, out *Out)
}

// Amount is what was carried.
type Amount struct{ Packets, Bytes uint64 }

// Free implements Host.
func (o *owner) Free(p *Peer) (f Free, ok bool) {
	s := o.t.sources.Load()
	if p.protocol != IKE || s == nil || s.behind != nil || o.t.routes.from(p) != nil || o.peers[p.key] != p {
		return f, false
	}
	for _, a := range s.own {
		f.Ours = append(f.Ours, a.netip())
	}
	for _, a := range p.allowed {
		if !a.IsSingleIP() {
			return f, false // who is behind a router is not the router
		}
		f.Theirs = append(f.Theirs, a.Addr())
	}
	if len(f.Ours) == 0 || len(f.Theirs) == 0 {
		return f, false
	}
	if filter := o.t.filter.Load(); filter != nil {
		return f, f.judge(*filter)
	}
	return f, true
}

// judge asks a filter.
func (f *Free) judge(filter Filter) bool {
	u, ok := filter.(Unfiltered)
	if !ok {
		return false
	}
	first := true
	for _, ours := range f.Ours {
		for _, theirs := range f.Theirs {
			if ours.Is4() != theirs.Is4() {
				continue
			}
			protocols, ok := u.Unfiltered(ours, theirs)
			if !ok || !first && string(protocols) != string(f.Protocols) {
				return false
			}
			f.Protocols, first = protocols, false
		}
	}
	return !first
}

// Direct is where a peer's datagrams go, from the tunnel's own port, if packets of the inside's full size pass there. An invalid local
// address is whichever the system chooses.
func (p *Peer) Direct() (remote netip.AddrPort, local netip.Addr, ok bool) {
	to := p.path.Load()
	if to == nil || to.limit.Load() != 0 {
		return remote, local, false
	}
	return to.direct()
}

// HeardAt is where datagrams of a peer's came from last, and to which address of ours, if they came to the tunnel's own port.
func (p *Peer) HeardAt() (remote netip.AddrPort, local netip.Addr, ok bool) {
	at := p.heard.Load()
	if at == nil {
		return remote, local, false
	}
	remote, local, ok = at.direct()
	return remote, local, ok && local.IsValid()
}

func (p *place) direct() (remote netip.AddrPort, local netip.Addr, ok bool) {
	ok = p.peer == nil && p.lane == nil && p.spare == nil && p.remote.IsValid() && !p.remote.Addr().IsLinkLocalUnicast()
	return p.remote, p.local, ok
}

// moved tells the transport that follows.
func (o *owner) moved(p *Peer) {
	if o.follower == nil || !p.knows(IKE) {
		return
	}
	o.after(func() {
		now := o.t.clock.Now()
		o.follower.Moved(now, p, &o.out)
		o.act(now)
	})
}

// Review tells that the filter lets other things pass than before.
func (t *Tunnel) Review() {
	_ = t.owner.do(func() { // a closed tunnel carries nothing
		for _, p := range t.owner.peers {
			t.owner.moved(p)
		}
	})
}

// bypassed counts what was carried around the tunnel.
func (o *owner) bypassed(e *Event) {
	p := e.Peer
	p.tx.add(int(e.Sent.Packets), int(e.Sent.Bytes))
	p.rx.add(int(e.Received.Packets), int(e.Received.Bytes))
	if e.Received.Packets > 0 {
		p.flags.Or(ESP.bit())
	}
	o.t.stir(p)
}
