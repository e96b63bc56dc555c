package ipsec

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/sock"
	"github.com/cvlan/cvlan/internal/sys/xfrm"
)

// Kernel seals and opens in our stead. It is an *xfrm.Device and a *sock.Detour; one goroutine uses it.
type Kernel interface {
	// Add makes an association, Use tells what it has carried, Remove ends it and tells where: xfrm.ErrLost if that is not known.
	Add(xfrm.SA) error
	Use(xfrm.SA) (xfrm.Use, error)
	Remove(xfrm.SA) (xfrm.Use, error)
	// Admit lets a peer's packets in, Lead has packets for it sealed by an association; Refuse and Unlead take that back.
	Admit(xfrm.Way) error
	Refuse(xfrm.Way) error
	Lead(xfrm.Way, xfrm.SA) error
	Unlead(xfrm.Way) error
	// Take says which datagrams are the kernel's to open.
	Take([]sock.Taking) error
	// Source is the address that the system sends from to another.
	Source(netip.Addr) (netip.Addr, error)
}

// Timing.
const (
	// lookEvery is how often the kernel is asked what it has carried while it carries something, restEvery while it does not.
	lookEvery = time.Second
	restEvery = 5 * time.Second
	// settling is for how long after a loan datagrams may come here that were on their way to the address where the kernel takes them: they are
	// lost. One that comes elsewhere, because the peer's way has changed since, has never been on that way.
	settling = time.Second
	// shyness is for how long a peer's packets are opened here after some have come where the kernel does not see them, by a relay or to another
	// address of ours: until it is known where they come to now.
	shyness = 2 * time.Second
)

// kernel decides which pairs are lent to the kernel (see esp.Pair), and keeps the books. Each direction is lent by itself:
//
//   - Opening, of every pair of a peer's whose packets come straight to the tunnel's port.
//   - Sealing, of the pair that seals, while the peer's way is straight and takes packets of full size.
//
// Both only where the filter would let everything pass in any case (tunnel.Free), because it sees none of these packets.
type kernel struct {
	Kernel
	t      *transport
	port   uint16
	log    *slog.Logger
	keys   map[esp.SPI]esp.Keys // of all pairs, by our SPI
	loans  map[*esp.Pair]*loan
	guests map[*tunnel.Peer]*guest
	last   uint32 // number of a guest
	said   string // what the kernel refused last
	lookAt mono.Time
}

// guest is a peer whose packets the kernel may carry.
type guest struct {
	way  xfrm.Way
	led  *esp.Pair // that its packets are sealed with; nil: they come to us
	shun mono.Time // nothing of it is opened by the kernel until then
}

func newKernel(t *transport, k Kernel, port uint16, log *slog.Logger) *kernel {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &kernel{Kernel: k, t: t, port: port, log: log,
		keys: map[esp.SPI]esp.Keys{}, loans: map[*esp.Pair]*loan{}, guests: map[*tunnel.Peer]*guest{}}
}

// lendTo has another carry packets from now on, nil: nobody. What is lent comes back first. Keys of pairs are kept only for whom they may be lent
// to, so that all pairs get new ones before anything is.
func (t *transport) lendTo(now mono.Time, k Kernel, port uint16, log *slog.Logger) {
	if t.kernel != nil {
		for p := range t.kernel.guests {
			t.kernel.release(now, p)
		}
		t.kernel = nil
	}
	if k == nil {
		return
	}
	t.kernel = newKernel(t, k, port, log)
	for _, p := range t.peers {
		for _, s := range t.machine.Status(p.Key()) {
			if s.Sealing {
				t.keyer.Due(now, p, s.Local())
			}
		}
	}
}

// keep remembers the keys of a pair, for those to whom it may be lent.
func (k *kernel) keep(keys esp.Keys) {
	keys.In, keys.Out = slices.Clone(keys.In), slices.Clone(keys.Out)
	k.keys[keys.Local] = keys
}

// review makes of a peer's loans what they should be.
func (k *kernel) review(now mono.Time, p *tunnel.Peer) {
	free, ok := k.t.Free(p)
	g := k.guests[p]
	if g != nil && (!ok || !slices.Equal(g.way.Ours, free.Ours) || !slices.Equal(g.way.Theirs, free.Theirs) || !slices.Equal(g.way.Protocols, free.Protocols)) {
		k.dismiss(now, p)
		g = nil
	}
	pairs := k.t.machine.Status(p.Key())
	if !ok || g == nil && (len(pairs) == 0 || !straight(p)) {
		return
	}
	if g == nil {
		if g = k.welcome(p, free); g == nil {
			k.wake(now)
			return
		}
	}
	for _, s := range pairs {
		k.reviewIn(now, p, g, s)
	}
	k.reviewOut(now, p, g, pairs)
	k.wake(now)
}

// straight reports whether one of the two ways is.
func straight(p *tunnel.Peer) bool {
	_, _, in := p.HeardAt()
	_, _, out := p.Direct()
	return in || out
}

// welcome lets a peer's packets into the host.
func (k *kernel) welcome(p *tunnel.Peer, free tunnel.Free) *guest {
	k.last++
	g := &guest{way: xfrm.Way{Peer: k.last, Ours: free.Ours, Theirs: free.Theirs, Protocols: free.Protocols}}
	if err := k.Admit(g.way); err != nil {
		k.failed(p, errors.Join(err, k.Refuse(g.way)))
		return nil
	}
	k.guests[p] = g
	return g
}

// dismiss takes back everything that is lent of a peer's pairs, and has the kernel let nothing more pass before anything else: rules have changed.
func (k *kernel) dismiss(now mono.Time, p *tunnel.Peer) {
	if g := k.guests[p]; g != nil {
		k.refuse(p, g)
		k.takeBack(now, p, g)
	}
}

// release does the same without a loss: what the kernel has opened still passes, until it opens nothing more.
func (k *kernel) release(now mono.Time, p *tunnel.Peer) {
	if g := k.guests[p]; g != nil {
		k.takeBack(now, p, g)
		k.refuse(p, g)
	}
}

func (k *kernel) refuse(p *tunnel.Peer, g *guest) {
	if err := k.Refuse(g.way); err != nil {
		k.failed(p, err)
	}
}

func (k *kernel) takeBack(now mono.Time, p *tunnel.Peer, g *guest) {
	delete(k.guests, p)
	k.unlead(now, p, g)
	for pair, l := range k.loans {
		if l.peer == p {
			k.returnIn(now, pair, l)
			k.returnOut(now, pair, l)
		}
	}
}

// lendable is whether the kernel can carry what a pair does.
func (k *kernel) lendable(pair *esp.Pair, g *guest) bool {
	if keys, known := k.keys[pair.Local()]; !known || keys.MayBePartial || cipherOf(pair.Suite()) == "" {
		return false
	}
	for _, ours := range g.way.Ours {
		for _, theirs := range g.way.Theirs {
			if ours.Is4() == theirs.Is4() && !pair.Carries(ours, theirs) {
				return false
			}
		}
	}
	return true
}

func cipherOf(s esp.Suite) xfrm.Cipher {
	switch s {
	case esp.AES256GCM, esp.AES192GCM, esp.AES128GCM:
		return xfrm.AESGCM
	case esp.ChaCha20Poly1305:
		return xfrm.ChaCha20Poly1305
	}
	return ""
}

// reviewIn lends the opening of a pair, when the first packet has shown that the peer uses it.
func (k *kernel) reviewIn(now mono.Time, p *tunnel.Peer, g *guest, s esp.Status) {
	from, to, ok := p.HeardAt()
	l := k.loans[s.Pair]
	if l != nil && l.in != nil || s.Waiting || !ok || now < g.shun || k.taken() == sock.MaxTaken || !k.lendable(s.Pair, g) {
		return
	}
	sa := k.sa(now, s, g)
	sa.SPI, sa.From, sa.To, sa.Key = uint32(s.Local()), from, netip.AddrPortFrom(to, k.port), k.keys[s.Local()].In
	sa.Last, sa.Missing = s.LendOpening()
	sa.Packets -= sa.Last
	err := k.Add(sa)
	if err == nil {
		l = k.lend(s.Pair, p)
		l.in = &borrowed{SA: sa, since: now}
		if err = k.take(); err == nil {
			return
		}
		l.in = nil
		k.settle(s.Pair, l)
		_, gone := k.Remove(sa)
		err = errors.Join(err, gone)
	}
	s.ReturnOpening(sa.Last)
	g.shun = now.Add(shyness)
	k.failed(p, err)
}

// reviewOut lends the sealing of the pair that seals, moves it with the peer's way, or takes it back when that is not straight any more.
func (k *kernel) reviewOut(now mono.Time, p *tunnel.Peer, g *guest, pairs []esp.Status) {
	at := slices.IndexFunc(pairs, func(s esp.Status) bool { return s.Sealing })
	to, local, ok := p.Direct()
	if ok && !local.IsValid() {
		var err error
		local, err = k.Source(to.Addr())
		ok = err == nil
	}
	from := netip.AddrPortFrom(local, k.port)
	if at < 0 || !ok || !k.lendable(pairs[at].Pair, g) {
		k.unlead(now, p, g)
		return
	}
	s := pairs[at]
	l := k.loans[s.Pair]
	if l != nil && l.out != nil && (l.out.From != from || l.out.To != to) { // its way has changed
		k.returnOut(now, s.Pair, l)
		l = nil
	}
	if l == nil || l.out == nil {
		l = k.lendOut(now, p, g, s, from, to)
	} else if g.led == s.Pair {
		return
	}
	if l != nil && !k.lead(p, g, s.Pair, l) {
		k.returnOut(now, s.Pair, l)
		l = nil
	}
	if l == nil {
		k.unlead(now, p, g)
	}
}

// lendOut lends the sealing of a pair; nil: the kernel does not take it.
func (k *kernel) lendOut(now mono.Time, p *tunnel.Peer, g *guest, s esp.Status, from, to netip.AddrPort) *loan {
	sa := k.sa(now, s, g)
	sa.SPI, sa.From, sa.To, sa.Key, sa.Last, sa.Own = uint32(s.Remote()), from, to, k.keys[s.Local()].Out, s.LendSealing(), true
	sa.Packets -= sa.Last
	if err := k.Add(sa); err != nil {
		s.ReturnSealing(sa.Last)
		k.failed(p, err)
		return nil
	}
	l := k.lend(s.Pair, p)
	l.out = &borrowed{SA: sa, since: now}
	return l
}

// lead has a peer's packets sealed by a pair. What was sealed by another before may still be on its way, so that one stays until it retires.
func (k *kernel) lead(p *tunnel.Peer, g *guest, pair *esp.Pair, l *loan) bool {
	if err := k.Lead(g.way, l.out.SA); err != nil {
		k.failed(p, err)
		return false
	}
	g.led = pair
	k.log.Debug("the kernel seals", logx.Peer, p.Key().Short(), "spi", pair.Remote().String())
	return true
}

// sa is what both directions of a pair have in common.
func (k *kernel) sa(now mono.Time, s esp.Status, g *guest) xfrm.SA {
	keys, life := k.keys[s.Local()], s.Life()
	sa := xfrm.SA{
		Peer: g.way.Peer, Cipher: cipherOf(s.Suite()), ESN: keys.ESN, Window: max(keys.Window, esp.LeastWindow),
		Packets: life.Hard.Packets, Age: s.Ends.Sub(now) + time.Second,
	}
	if keys.Life.Hard.Bytes > 0 {
		sa.Bytes = keys.Life.Hard.Bytes
	}
	return sa
}

// unlead has a peer's packets come to us again.
func (k *kernel) unlead(now mono.Time, p *tunnel.Peer, g *guest) {
	pair := g.led
	if pair == nil {
		return
	}
	g.led = nil
	if err := k.Unlead(g.way); err != nil {
		k.failed(p, err)
	}
	k.returnOut(now, pair, k.loans[pair])
	if k.t.machine.Current(p.Key()) == pair { // what waited meanwhile leaves
		k.t.out.Events = append(k.t.out.Events, tunnel.Event{Kind: tunnel.Current, Peer: p, Session: session{pair}})
	}
	k.log.Debug("the kernel seals no more", logx.Peer, p.Key().Short())
}

// failed tells what the kernel does not do. It is asked again every few seconds, and told of once.
func (k *kernel) failed(p *tunnel.Peer, err error) {
	if err == nil {
		return
	}
	level := slog.LevelWarn
	if err.Error() == k.said {
		level = slog.LevelDebug
	}
	k.said = err.Error()
	k.log.Log(context.Background(), level, "the kernel's ESP", logx.Peer, p.Key().Short(), logx.Err, err)
}
