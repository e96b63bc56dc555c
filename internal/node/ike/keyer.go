package ike

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// keyer is core/ike's Machine with the tunnel's peers.
type keyer struct {
	host    ipsec.Host
	peersOf Directory
	life    esp.Life
	tell    func(ike.Event)
	window  int
	reach   func() []netip.Addr
	machine *ike.Machine
	out     ike.Out
	origin  *tunnel.Origin // of the message that is being handled; nil: there is none

	peers    map[key.WGPublic]*peer
	places   map[netip.AddrPort]*peer // by the address that stands for a peer, and by that from which it was heard last
	sources  map[tunnel.Source]*peer  // where peers were heard last
	children map[esp.SPI]ike.ID
	last     uint64 // address given out
}

// peer is what there is of IKE with one.
type peer struct {
	*tunnel.Peer
	path   ike.Path // that stands for it
	id     ike.ID   // 0: nothing is up nor under way
	up     bool
	all    []ike.ID // of sessions that are up: while one takes another's place, or two have crossed, there is more than one
	asked  bool     // for another Child SA, while up
	source tunnel.Source
	addr   netip.AddrPort // of that
	renews mono.Time      // since when keys are made because the old ones may be dead; Never: none are
	probed mono.Time      // when it was silent last
	last   mono.Time      // when keys were made last
	rest   rest
}

var _ ipsec.Keyer = (*keyer)(nil)

// New returns what makes keys by IKEv2.
func New(c Config) ipsec.BuildKeyer {
	return func(h ipsec.Host) (ipsec.Keyer, error) {
		if c.Peers == nil {
			return nil, errors.New("ike: there is no directory of peers")
		}
		k := &keyer{
			host: h, peersOf: c.Peers, life: c.Life, window: c.Window, tell: c.Tell, reach: c.Reach, peers: map[key.WGPublic]*peer{}, places: map[netip.AddrPort]*peer{},
			sources: map[tunnel.Source]*peer{}, children: map[esp.SPI]ike.ID{},
		}
		c.IKE.Directory, c.IKE.SPIs, c.IKE.TakesPartial = guide{k}, guide{k}, h.TakesPartial
		var err error
		if k.machine, err = ike.New(c.IKE, rand.Reader); err == nil {
			k.reachable(h.Clock().Now())
		}
		return k, err
	}
}

// discard is where nobody is (RFC 6666): addresses that stand for peers are of it.
var discard = netip.MustParsePrefix("100::/64")

// of is what there is with a peer, from the first use on.
func (k *keyer) of(p *tunnel.Peer) *peer {
	if was := k.peers[p.Key()]; was != nil {
		return was
	}
	k.last++
	a := discard.Addr().As16()
	binary.BigEndian.PutUint64(a[8:], k.last)
	made := &peer{Peer: p, path: ike.Path{Remote: netip.AddrPortFrom(netip.AddrFrom16(a), 4500)}}
	k.peers[p.Key()], k.places[made.path.Remote] = made, made
	return made
}

// Message implements ipsec.Keyer.
func (k *keyer) Message(now mono.Time, from tunnel.Origin, message []byte) tunnel.Reason {
	k.origin = &from
	path := ike.Path{Remote: from.Addr}
	if p := k.sources[from.Source]; p != nil {
		path = p.path
	}
	k.machine.Datagram(now, path, message, &k.out)
	why := tunnel.OK
	if k.out.Crowded {
		why = tunnel.Challenged
	}
	k.settle(now)
	k.origin = nil
	return why
}

// Press implements ipsec.Keyer: core/ike counts half-open SAs itself, and says when there are too many.
func (k *keyer) Press(mono.Time) {}

// Put implements ipsec.Keyer.
func (k *keyer) Put(_ mono.Time, p *tunnel.Peer) error {
	_, err := k.meet(p)
	return err
}

// Remove implements ipsec.Keyer.
func (k *keyer) Remove(p *tunnel.Peer) {
	was := k.peers[p.Key()]
	if was == nil {
		return
	}
	_ = k.hangUp(k.host.Clock().Now(), was, "the map has changed, or what it trusts") // there may be nothing
	delete(k.peers, p.Key())
	delete(k.places, was.path.Remote)
	k.leave(was)
}

// Want implements ipsec.Keyer.
func (k *keyer) Want(now mono.Time, p *tunnel.Peer) {
	who := k.of(p)
	if who.asked || who.id != 0 && !who.up {
		return
	}
	how, err := k.meet(p)
	switch {
	case err != nil || now < who.rest.until:
		k.host.GiveUp(p)
		return
	case who.up:
		who.asked = true
		err = k.machine.CreateChild(now, who.id, *how.Child, &k.out)
	default:
		who.id, err = k.machine.Initiate(now, how, who.path, &k.out)
	}
	if err != nil {
		who.asked = false
		k.host.GiveUp(p)
	}
	k.settle(now)
}

// doubtAfter is for how long a peer that was heard is not doubted.
const doubtAfter = time.Second

// Doubt implements ipsec.Keyer. A peer that has forgotten us says so when it is asked, and says nothing to packets.
func (k *keyer) Doubt(now mono.Time, p *tunnel.Peer) {
	who := k.of(p)
	if !who.up || now.Sub(k.machine.LastHeard(who.id)) < doubtAfter {
		return
	}
	_ = k.machine.Probe(now, who.id, &k.out) // a full queue has something that will tell whether the peer lives
	k.settle(now)
}

// reachable has peers told where else we are.
func (k *keyer) reachable(now mono.Time) {
	if k.reach != nil {
		k.machine.Reachable(now, k.reach(), &k.out)
	}
}

// renewEvery is how long new keys are waited for before they are asked for again.
const renewEvery = 5 * time.Second

// Renew implements ipsec.Keyer. A peer hears where we are, and is asked for new keys: if it has forgotten us it says so, and there will be another
// session. It may be called for every packet.
func (k *keyer) Renew(now mono.Time, p *tunnel.Peer) {
	who := k.of(p)
	if !who.up {
		k.Want(now, p)
		return
	}
	_ = k.machine.Move(now, who.id, who.path, &k.out) // a full queue has something that tells it too
	if who.renews.IsNever() || now.Sub(who.renews) >= renewEvery {
		who.renews = now
		k.reachable(now)
		if s := k.newest(who); s != 0 {
			_ = k.machine.RekeyChild(now, k.children[s], uint32(s), &k.out)
		} else {
			k.Want(now, p)
		}
	}
	k.settle(now)
}

// newest is the pair to a peer that was made last and does not end; 0: none.
func (k *keyer) newest(who *peer) (s esp.SPI) {
	for _, pair := range k.host.Pairs(who.Peer) {
		if !pair.Ending {
			s = pair.Local()
		}
	}
	return s
}

// Silent implements ipsec.Keyer. A peer that is silent again, and has not said a word since it was asked whether it lives, has lost its SAs,
// or its way to us: to call it anew is the quickest way to find out, and costs a peer that lives nothing but a new start.
func (k *keyer) Silent(now mono.Time, p *tunnel.Peer) {
	who := k.peers[p.Key()]
	if who == nil || !who.up {
		return
	}
	if !who.probed.IsNever() && k.machine.LastHeard(who.id) < who.probed {
		who.probed = mono.Never
		_ = k.hangUp(now, who, "the peer is silent") // it is up
		return
	}
	who.probed = now
	_ = k.machine.Probe(now, who.id, &k.out) // a full queue has something that will tell whether the peer lives
	k.settle(now)
}

// Due implements ipsec.Keyer.
func (k *keyer) Due(now mono.Time, _ *tunnel.Peer, s esp.SPI) {
	_ = k.machine.RekeyChild(now, k.children[s], uint32(s), &k.out) // it is said again
	k.settle(now)
}

// Expired implements ipsec.Keyer.
func (k *keyer) Expired(now mono.Time, _ *tunnel.Peer, s esp.SPI) {
	_ = k.machine.DeleteChild(now, k.children[s], uint32(s), &k.out) // the peer's own end of it comes as well
	k.settle(now)
}

// Deadline implements ipsec.Keyer.
func (k *keyer) Deadline() mono.Time { return k.machine.Deadline() }

// Tick implements ipsec.Keyer.
func (k *keyer) Tick(now mono.Time) {
	k.machine.Tick(now, &k.out)
	k.settle(now)
}

// Status implements ipsec.Keyer.
func (k *keyer) Status(p *tunnel.Peer) (last mono.Time, attempting bool) {
	if who := k.peers[p.Key()]; who != nil {
		return who.last, who.asked || who.id != 0 && !who.up
	}
	return mono.Never, false
}
