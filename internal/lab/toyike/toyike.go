// Package toyike makes keys for ESP in stories and in the laboratory: one question, one answer, and a secret that both ends were given. It
// is not IKE, and nothing but tests and measurements uses it.
//
//	ask, answer   kind, the sender's name, the SPI that it wants to be sent with, the number of the exchange
//	delete        kind, the sender's name, the SPI that it will not send with any more, nothing
//
// Keys come out of the secret, the number and both SPIs. The deadlines are fixed: an ask is repeated every second, five times.
package toyike

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/node/ipsec"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Config is what both ends must have alike, but for Self.
type Config struct {
	Self   key.WGPublic
	Secret []byte
	// Keys is what all pairs have in common: suite, lifetimes, selectors.
	Keys esp.Keys
}

const (
	ask = iota + 1
	answer
	bye

	size  = 1 + 32 + 4 + 8
	again = time.Second
	tries = 5
)

// Keyer makes keys.
type Keyer struct {
	Config
	host  ipsec.Host
	peers map[key.WGPublic]*peer

	Pairs    int // how many were made
	Silences int // how often a peer was silent
}

// peer is what a Keyer knows of one.
type peer struct {
	*tunnel.Peer
	spi      esp.SPI // of the ask under way
	number   uint64  // likewise; 0: there is none
	tries    int
	at       mono.Time    // the ask is repeated
	before   []esp.Status // what the pair under way replaces
	answered [size]byte
	last     mono.Time
}

// New returns what makes a transport's keys, and through which a story sees them made.
func New(c Config) (*Keyer, ipsec.BuildKeyer) {
	k := &Keyer{Config: c, peers: map[key.WGPublic]*peer{}}
	return k, func(h ipsec.Host) (ipsec.Keyer, error) {
		k.host = h
		return k, nil
	}
}

func (k *Keyer) of(p *tunnel.Peer) *peer {
	if k.peers[p.Key()] == nil {
		k.peers[p.Key()] = &peer{Peer: p}
	}
	return k.peers[p.Key()]
}

func (k *Keyer) message(kind byte, s esp.SPI, number uint64) (m [size]byte) {
	m[0] = kind
	copy(m[1:], k.Self[:])
	binary.BigEndian.PutUint32(m[33:], uint32(s))
	binary.BigEndian.PutUint64(m[37:], number)
	return m
}

// begin asks for a pair, unless that is under way.
func (k *Keyer) begin(now mono.Time, p *peer) {
	if p.number != 0 {
		return
	}
	var err error
	if p.spi, err = k.host.SPI(); err != nil {
		return
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	p.number, p.tries, p.before = binary.BigEndian.Uint64(b[:])|1, 0, k.host.Pairs(p.Peer)
	k.ask(now, p)
}

func (k *Keyer) ask(now mono.Time, p *peer) {
	p.tries, p.at = p.tries+1, now.Add(again)
	m := k.message(ask, p.spi, p.number)
	k.host.Send(ipsec.Message{Peer: p.Peer, Opening: len(k.host.Pairs(p.Peer)) == 0, Data: m[:]})
}

// Message implements ipsec.Keyer.
func (k *Keyer) Message(now mono.Time, from tunnel.Origin, m []byte) tunnel.Reason {
	if len(m) != size {
		return tunnel.Malformed
	}
	who := k.host.Find(key.WGPublic(m[1:33]))
	if who == nil {
		return tunnel.UnknownPeer
	}
	p, theirs, number := k.of(who), esp.SPI(binary.BigEndian.Uint32(m[33:])), binary.BigEndian.Uint64(m[37:])
	switch m[0] {
	case ask:
		return k.reply(now, p, from.Source, theirs, number)
	case answer:
		if number != p.number {
			return tunnel.UnknownIndex
		}
		return k.finish(now, p, from.Source, theirs)
	case bye:
		for _, s := range k.host.Pairs(who) {
			if s.Local() == theirs {
				k.host.Delete(now, theirs)
			}
		}
		return tunnel.OK
	}
	return tunnel.Malformed
}

// reply answers an ask, or repeats an answer that was lost.
func (k *Keyer) reply(now mono.Time, p *peer, from tunnel.Source, theirs esp.SPI, number uint64) tunnel.Reason {
	if binary.BigEndian.Uint64(p.answered[37:]) != number {
		ours, err := k.host.SPI()
		if err != nil {
			return tunnel.Crowded
		}
		p.answered = k.message(answer, ours, number)
		keys := k.derive(number, theirs, ours, false)
		for _, s := range k.host.Pairs(p.Peer) {
			if s.Sealing {
				keys.Replaces = s.Local()
			}
		}
		if err := k.host.Install(now, p.Peer, keys); err != nil {
			k.host.Release(ours)
			return tunnel.Crowded
		}
		k.made(now, p)
	}
	k.host.Send(ipsec.Message{Peer: p.Peer, To: from, Data: p.answered[:]})
	k.host.Heard(p.Peer, from)
	return tunnel.OK
}

// finish takes the answer, and ends what the new pair replaces.
func (k *Keyer) finish(now mono.Time, p *peer, from tunnel.Source, theirs esp.SPI) tunnel.Reason {
	k.host.Heard(p.Peer, from)
	if err := k.host.Install(now, p.Peer, k.derive(p.number, p.spi, theirs, true)); err != nil {
		return tunnel.Malformed
	}
	p.number, p.at = 0, mono.Never
	k.made(now, p)
	for _, s := range p.before {
		m := k.message(bye, s.Remote(), 0)
		k.host.Send(ipsec.Message{Peer: p.Peer, Data: m[:]})
		k.host.Delete(now, s.Local())
	}
	return tunnel.OK
}

func (k *Keyer) made(now mono.Time, p *peer) {
	p.last = now
	k.Pairs++
}

// derive makes the keys of the pair that was asked for with one SPI and answered with the other.
func (k *Keyer) derive(number uint64, asked, answered esp.SPI, asker bool) esp.Keys {
	n := k.Keys.Suite.KeySize()
	var stream []byte
	for i := byte(0); len(stream) < 2*n; i++ {
		h := hmac.New(sha256.New, k.Secret)
		b := binary.BigEndian.AppendUint64([]byte{i}, number)
		h.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(asked)), uint32(answered)))
		stream = h.Sum(stream)
	}
	keys := k.Keys
	keys.Out, keys.In, keys.Local, keys.Remote = stream[:n], stream[n:2*n], asked, answered
	if !asker {
		keys.Out, keys.In, keys.Local, keys.Remote, keys.Waits = keys.In, keys.Out, answered, asked, true
	}
	return keys
}

// Press implements ipsec.Keyer.
func (k *Keyer) Press(mono.Time) {}

// Put implements ipsec.Keyer.
func (k *Keyer) Put(mono.Time, *tunnel.Peer) error { return nil }

// Remove implements ipsec.Keyer.
func (k *Keyer) Remove(p *tunnel.Peer) {
	if was := k.peers[p.Key()]; was != nil && was.number != 0 {
		k.host.Release(was.spi)
	}
	delete(k.peers, p.Key())
}

// Want implements ipsec.Keyer.
func (k *Keyer) Want(now mono.Time, p *tunnel.Peer) { k.begin(now, k.of(p)) }

// Doubt implements ipsec.Keyer: Silent finds out.
func (k *Keyer) Doubt(mono.Time, *tunnel.Peer) {}

// Renew implements ipsec.Keyer.
func (k *Keyer) Renew(now mono.Time, p *tunnel.Peer) { k.begin(now, k.of(p)) }

// Due implements ipsec.Keyer.
func (k *Keyer) Due(now mono.Time, p *tunnel.Peer, _ esp.SPI) { k.begin(now, k.of(p)) }

// Expired implements ipsec.Keyer.
func (k *Keyer) Expired(mono.Time, *tunnel.Peer, esp.SPI) {}

// Silent implements ipsec.Keyer: the peer has perhaps forgotten us.
func (k *Keyer) Silent(now mono.Time, p *tunnel.Peer) {
	k.Silences++
	k.begin(now, k.of(p))
}

// Deadline implements ipsec.Keyer.
func (k *Keyer) Deadline() (at mono.Time) {
	for _, p := range k.peers {
		at = mono.Earlier(at, p.at)
	}
	return at
}

// Tick implements ipsec.Keyer.
func (k *Keyer) Tick(now mono.Time) {
	for _, p := range k.peers {
		switch {
		case p.at.IsNever() || p.at > now:
		case p.tries < tries:
			k.ask(now, p)
		default:
			k.host.Release(p.spi)
			p.number, p.at = 0, mono.Never
			k.host.GiveUp(p.Peer)
		}
	}
}

// Status implements ipsec.Keyer.
func (k *Keyer) Status(p *tunnel.Peer) (last mono.Time, attempting bool) {
	if was := k.peers[p.Key()]; was != nil {
		return was.last, was.number != 0
	}
	return mono.Never, false
}
