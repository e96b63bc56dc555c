package ike

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/esp"
	"github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
	"github.com/cvlan/cvlan/internal/node/tunnel"
)

// Config is how to meet peers.
type Config struct {
	// IKE is what core/ike is configured with; its Directory and SPIs are set here.
	IKE   ike.Config
	Peers Directory
	// Life and Window are those of all pairs of SAs; zero: the defaults of core/esp.
	Life   esp.Life
	Window int
	// Reach are this host's addresses, outside: peers of other implementations are told, and try them when one is silent (RFC 4555). Nil: nothing is told.
	// It must not block.
	Reach func() []netip.Addr
	// Tell hears what happens, for logs; nil: nobody does. It must not block.
	Tell func(ike.Event)
}

// Directory knows how to meet the tunnel's peers, and who they are.
type Directory interface {
	// Meet says how to meet a peer; its Name is set by the caller. An error: not by IKE.
	Meet(p *tunnel.Peer) (ike.Peer, error)
	// Who has an identity, which has not been proved yet; false: nobody. wanted is which of ours it would like to meet.
	Who(remote, wanted msg.Identity) (key.WGPublic, bool)
	// Evidence is as for ike.Directory, but for its end: left is for how long it holds, as certificates do; 0: for ever.
	Evidence(p *tunnel.Peer, remote msg.Identity, certs []msg.Cert) (e crypt.Evidence, left time.Duration, err error)
}

// guide is a Keyer as core/ike's Directory and SPIs.
type guide struct{ *keyer }

// Peer implements ike.Directory.
func (g guide) Peer(remote, wanted msg.Identity) (ike.Peer, bool) {
	name, ok := g.peersOf.Who(remote, wanted)
	if !ok {
		return ike.Peer{}, false
	}
	p := g.host.Find(name)
	if p == nil {
		return ike.Peer{}, false
	}
	how, err := g.meet(p)
	return how, err == nil
}

// Evidence implements ike.Directory.
func (g guide) Evidence(who ike.Peer, remote msg.Identity, certs []msg.Cert) (crypt.Evidence, error) {
	var name key.WGPublic
	if err := name.UnmarshalText([]byte(who.Name)); err != nil {
		return crypt.Evidence{}, err
	}
	p := g.host.Find(name)
	if p == nil {
		return crypt.Evidence{}, errors.New("the peer was removed meanwhile")
	}
	e, left, err := g.peersOf.Evidence(p, remote, certs)
	if left > 0 {
		e.Until = g.host.Clock().Now().Add(left)
	}
	return e, err
}

// Reserve implements ike.SPIs.
func (g guide) Reserve() (uint32, error) {
	s, err := g.host.SPI()
	return uint32(s), err
}

// Release implements ike.SPIs.
func (g guide) Release(s uint32) { g.host.Release(esp.SPI(s)) }

// meet is how to meet a peer, under the name by which events speak of it.
func (k *keyer) meet(p *tunnel.Peer) (ike.Peer, error) {
	how, err := k.peersOf.Meet(p)
	how.Name = p.Key().String()
	return how, err
}

// keysOf are those of a Child SA in ESP's words.
func (k *keyer) keysOf(c ike.ChildSA) (esp.Keys, error) {
	suite, err := suiteOf(c.Encryption, c.Integrity)
	return esp.Keys{
		Suite: suite, Local: esp.SPI(c.In), Remote: esp.SPI(c.Out), In: c.KeyIn, Out: c.KeyOut, ESN: c.Extended, Window: k.window, Life: k.life,
		Theirs: selectorsOf(c.Theirs), Ours: selectorsOf(c.Ours), TakesPartial: c.TakesPartial, MayBePartial: c.MayBePartial,
		Waits: c.Answered, Replaces: esp.SPI(c.Replaces),
	}, err
}

// suites are those of ESP in IKE's words.
var suites = [...]struct {
	esp.Suite
	encryption msg.TransformID
	bits       uint16
	integrity  msg.TransformID
}{
	{esp.AES256GCM, msg.EncrAESGCM16, 256, msg.IntegNone},
	{esp.AES192GCM, msg.EncrAESGCM16, 192, msg.IntegNone},
	{esp.AES128GCM, msg.EncrAESGCM16, 128, msg.IntegNone},
	{esp.ChaCha20Poly1305, msg.EncrChaCha20, 0, msg.IntegNone},
	{esp.AES256CBC, msg.EncrAESCBC, 256, msg.IntegSHA256},
	{esp.AES128CBC, msg.EncrAESCBC, 128, msg.IntegSHA256},
	{esp.AES256CBCSHA1, msg.EncrAESCBC, 256, msg.IntegSHA1},
	{esp.AES128CBCSHA1, msg.EncrAESCBC, 128, msg.IntegSHA1},
}

func suiteOf(encryption, integrity msg.Transform) (esp.Suite, error) {
	for _, s := range suites {
		if s.encryption == encryption.ID && s.bits == encryption.KeyBits && s.integrity == integrity.ID {
			return s.Suite, nil
		}
	}
	return 0, fmt.Errorf("ESP by %s and %s: we do not have it", encryption, integrity)
}

func selectorsOf(all []msg.Selector) (out []esp.Selector) {
	for _, s := range all {
		out = append(out, esp.Selector{Protocol: s.Protocol, FromPort: s.FromPort, ToPort: s.ToPort, From: s.From, To: s.To})
	}
	return out
}
