package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/tun"
)

// PeerState is what a tunnel knows of one peer.
type PeerState struct {
	Key                  key.WGPublic
	Endpoint             netip.AddrPort // where datagrams go; invalid: nowhere yet
	Allowed              []netip.Prefix
	LastHandshake        time.Time // when the last was completed; zero: none
	SessionSince         time.Time // since when packets are sealed with the present keys; zero: there are none
	Attempting           bool      // a handshake is under way
	Protocol             string    // by which packets leave now: wireguard, ipsec
	Chosen               string    // by which they are to leave
	Cipher               string    // how packets are sealed; "": not at all, or as WireGuard does
	Preshared            bool      // the pair has a symmetric key besides
	Keepalive            time.Duration
	RxBytes, TxBytes     uint64 // on the wire, handshakes sent included
	RxPackets, TxPackets uint64
	Waiting              int               // packets that wait for a session
	Drops                map[string]uint64 // by reason
}

// State is what a tunnel knows of itself.
type State struct {
	Key     key.WGPublic
	Port    uint16
	MTU     int
	Workers int
	Drops   map[string]uint64 // by reason; those of peers included
	Socket  sock.Stats
	TUN     tun.Stats
	Memory  int // bytes of packet memory in use, by all tunnels of the process
}

// SetPeer adds a peer or changes it; what is already so is left undisturbed.
func (t *Tunnel) SetPeer(c PeerConfig) error {
	c, err := c.clean(t.self)
	if err != nil {
		return err
	}
	if stopped := t.owner.do(func() { err = t.owner.setPeer(c) }); stopped != nil {
		return stopped
	}
	return err
}

// RemovePeer forgets a peer and its sessions.
func (t *Tunnel) RemovePeer(k key.WGPublic) {
	_ = t.owner.do(func() { t.owner.removePeer(k) }) // a closed tunnel has none
}

// Wake makes the tunnel try all candidates of all peers again at once: the network has changed.
func (t *Tunnel) Wake() {
	_ = t.owner.do(func() { t.owner.doubt(path.LinkChanged) }) // likewise
}

// forgets is after how long silence the peer's end of a session may be gone: WireGuard's own end after 180 s, of which some are over.
const forgets = 2 * time.Minute

// Resume is as Wake, after the machine slept: sessions may be dead, whose age our clock does not tell, because it stood still. They make room
// for new ones when the next packet leaves.
func (t *Tunnel) Resume(slept time.Duration) {
	_ = t.owner.do(func() {
		if slept >= forgets {
			t.owner.outsleep()
		}
		t.owner.doubt(path.Resumed)
	})
}

// outsleep has no packet sealed with a session from before a long sleep. What peers still send in it is taken.
func (o *owner) outsleep() {
	for _, p := range o.peers {
		if p.sealer.Swap(nil) != nil {
			p.outslept = true
		}
		for _, c := range []Class{WireGuard, IKE} {
			if p.knows(c) {
				p.speaks(c).current = nil
			}
		}
	}
}

// Peers tells the state of every peer, in no order.
func (t *Tunnel) Peers() (all []PeerState) {
	_ = t.owner.do(func() {
		all = make([]PeerState, 0, len(t.owner.peers))
		for _, p := range t.owner.peers {
			all = append(all, t.owner.describe(p))
		}
	})
	return all
}

// Traffic is how many packets have gone to a peer and come from it.
func (t *Tunnel) Traffic(k key.WGPublic) (sent, received uint64) {
	_ = t.owner.do(func() {
		if p := t.owner.peers[k]; p != nil {
			sent, received = p.tx.packets.Load(), p.rx.packets.Load()
		}
	})
	return sent, received
}

// State tells about the tunnel as a whole.
func (t *Tunnel) State() State {
	s := State{Key: t.self, Port: t.Port(), MTU: t.mtu(), Workers: len(t.doors), Drops: t.drops.show(), TUN: t.tun.Stats(), Memory: t.budget.Used()}
	for i, k := range t.doors {
		if i == 0 {
			s.Socket = k.Stats()
			continue
		}
		more := k.Stats()
		s.Socket.NoBuffer += more.NoBuffer
		s.Socket.TooBig += more.TooBig
		s.Socket.Unreachable += more.Unreachable
		s.Socket.Refused += more.Refused
		s.Socket.Overflow += more.Overflow
		s.Socket.Truncated += more.Truncated
	}
	return s
}

func (o *owner) setPeer(c PeerConfig) error {
	now := o.t.clock.Now()
	protocol, ok := o.chosen(c)
	if !ok {
		return fmt.Errorf("set the peer %s: this node does not speak %s", c.Key.Short(), c.Protocol.Protocol())
	}
	p := o.peers[c.Key]
	if p == nil {
		if len(o.peers) == MaxPeers {
			return fmt.Errorf("set the peer %s: %d peers already", c.Key.Short(), MaxPeers)
		}
		p = &Peer{key: c.Key, node: c.Node, guided: c.Guided, picker: path.Picker{Refused: o.t.refused}}
		o.peers[c.Key] = p
	}
	p.partial = c.TakesPartial
	if o.guided(p) {
		o.route(p, c.Allowed, c.Besides)
		o.guide.Put(now, p)
		o.choose(now, p, protocol, c.Strict)
		return nil
	}
	o.choose(now, p, protocol, c.Strict)
	changed := p.share(c.Preshared, [32]byte{}) || p.keepalive != c.Keepalive
	p.keepalive = c.Keepalive
	o.route(p, c.Allowed, c.Besides)
	if len(c.Candidates) > 0 && !slices.Equal(p.picker.Candidates(), c.Candidates) {
		p.picker.SetCandidates(now, c.Candidates, &o.picks)
		o.spread(p, nil)
	}
	if !changed || !p.knows(p.protocol) && p.keepalive == 0 {
		return nil
	}
	if err := o.transport(p).Put(now, p, &o.out); err != nil {
		return err
	}
	p.speaks(p.protocol).known = true
	o.act(now)
	return nil
}

// route makes ranges a peer's, and only these. One that another peer has goes over. From those besides it may send as well.
func (o *owner) route(p *Peer, allowed, besides []netip.Prefix) {
	if !slices.Equal(o.t.routes.from(p).list(), besides) {
		o.t.routes.also(p, besides)
		o.moved(p)
	}
	if slices.Equal(p.allowed, allowed) {
		return
	}
	defer o.moved(p)
	for _, a := range p.allowed {
		if !slices.Contains(allowed, a) {
			o.t.routes.remove(a, p)
		}
	}
	for _, a := range allowed {
		if other := o.t.routes.owner(a); other != nil && other != p {
			other.allowed = slices.DeleteFunc(slices.Clone(other.allowed), func(x netip.Prefix) bool { return x == a })
		}
		o.t.routes.add(a, p)
	}
	p.allowed = allowed
}

func (o *owner) removePeer(k key.WGPublic) {
	p := o.peers[k]
	if p == nil {
		return
	}
	delete(o.peers, k)
	for _, a := range p.allowed {
		o.t.routes.remove(a, p)
	}
	if o.t.routes.from(p) != nil {
		o.t.routes.also(p, nil)
	}
	o.forget(p, WireGuard)
	o.forget(p, IKE)
	if o.guided(p) {
		o.guide.Remove(o.t.clock.Now(), p)
	}
	o.t.abandon(p)
}

// doubt has every peer with a session prove anew where it is, and every opening that waits repeated everywhere.
func (o *owner) doubt(why path.Cause) {
	now := o.t.clock.Now()
	if o.guide != nil {
		o.guide.Wake(now, why)
	}
	o.doubtPlain()
}

// doubtPlain does so with those that the guide does not look after.
func (o *owner) doubtPlain() {
	now := o.t.clock.Now()
	for _, p := range o.peers {
		if o.guided(p) {
			continue
		}
		p.picker.Wake(now, &o.picks)
		o.spread(p, p.path.Load())
		if p.sealer.Load() != nil || p.outslept {
			o.transport(p).Renew(now, p, &o.out)
			o.act(now)
		}
	}
}

func (o *owner) describe(p *Peer) PeerState {
	s := PeerState{
		Key: p.key, Allowed: slices.Clone(p.allowed), Preshared: p.Preshared() != [32]byte{}, Keepalive: p.keepalive,
		RxBytes: p.rx.bytes.Load(), RxPackets: p.rx.packets.Load(), TxBytes: p.tx.bytes.Load(), TxPackets: p.tx.packets.Load(),
		Waiting: p.waiting.len(), Drops: p.drops.Load().show(),
	}
	if to := p.path.Load(); to != nil {
		s.Endpoint = to.remote
	}
	s.Protocol, s.Chosen = p.seals().Protocol(), p.protocol.Protocol()
	if p.knows(p.seals()) {
		st := o.transports[p.seals()].Status(p)
		s.LastHandshake, s.SessionSince, s.Attempting, s.Cipher = o.t.wall(st.Handshake), o.t.wall(st.Born), st.Attempting, st.Cipher
	}
	return s
}
