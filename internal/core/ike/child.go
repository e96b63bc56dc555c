package ike

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// child is a Child SA.
type child struct {
	in, out      uint32
	ours, theirs []msg.Selector
	choice       crypt.Choice
	asked        bool   // by us
	low          []byte // the lower nonce of the exchange that made it
	takes, may   bool   // packets with partial checksums: the peer takes them, and may send them
	ends         bool   // one side is to delete it: another replaces it, or we have asked to
	replaced     bool   // another replaces it
}

// leastSPI is the first that is not reserved (RFC 4303 §2.1).
const leastSPI = 256

func (x *session) byIn(spi uint32) *child {
	return x.find(func(c *child) bool { return c.in == spi })
}

func (x *session) byOut(spi uint32) *child {
	return x.find(func(c *child) bool { return c.out == spi })
}

func (x *session) find(f func(*child) bool) *child {
	if i := slices.IndexFunc(x.children, f); i >= 0 {
		return x.children[i]
	}
	return nil
}

// lose takes a Child SA out. kind is EventChildDown; for one that was replaced EventChildGone is said instead.
func (x *session) lose(c *child, kind EventKind, out *Out) {
	before := len(x.children)
	x.children = slices.DeleteFunc(x.children, func(one *child) bool { return one == c })
	if len(x.children) == before {
		return
	}
	if c.replaced {
		kind = EventChildGone
	}
	x.event(Event{Kind: kind, Child: ChildSA{In: c.in, Out: c.out, Ours: c.ours, Theirs: c.theirs}}, out)
}

// makeChild derives the keys of a Child SA and announces it. n and asked are of the exchange that makes it, agreed is what its key
// exchanges have agreed on: the first is nil if it had none.
func (x *session) makeChild(s *sa, c *child, choice crypt.Choice, n crypt.Nonces, asked bool, agreed [][]byte, replaces uint32, out *Out) error {
	suite, err := crypt.NewSuite(choice.Encryption, choice.Integrity)
	if err != nil {
		return err
	}
	encr, auth := suite.KeySizes()
	size := encr + auth
	keys, err := s.prf.ChildKeys(s.keys.Derive, 2*size, n, agreed[0], agreed[1:]...)
	if err != nil {
		return err
	}
	keyOut, keyIn := keys[:size:size], keys[size:]
	if !asked {
		keyOut, keyIn = keyIn, keyOut
	}
	c.choice, c.asked, c.low = choice, asked, lowest(n)
	x.children = append(x.children, c)
	x.event(Event{Kind: EventChildUp, Child: ChildSA{
		In: c.in, Out: c.out, Encryption: choice.Encryption, Integrity: choice.Integrity, KeyIn: keyIn, KeyOut: keyOut,
		Extended: choice.Extended, Ours: c.ours, Theirs: c.theirs, TakesPartial: c.takes, MayBePartial: c.may, Replaces: replaces, Answered: !asked,
	}}, out)
	return nil
}

// answerChild makes the Child SA that the peer asks for, or says how to refuse it. n has the initiator's nonce; for an exchange of its
// own ours is added and sent. then is called with the lower nonce when the SA is about to be made, and may still refuse.
func (x *session) answerChild(s *sa, in inbound, n crypt.Nonces, allowed []msg.Proposal, replaces uint32, then func(low []byte) msg.Notify, out *Out) ([]msg.Payload, msg.Notify) {
	ke, keyed := msg.First[msg.KE](in.payloads)
	c, choice, no := x.wanted(in, allowed, ke, keyed)
	if no.Kind != 0 {
		return nil, no
	}
	own := n.Responder == nil
	if own {
		n.Responder = x.m.nonce()
	}
	var public, shared []byte
	var err error
	if choice.KeyExchange != msg.KENone {
		public, shared, err = x.m.answerKey(choice.KeyExchange, ke.Data)
	}
	if err != nil {
		return nil, msg.Notify{Kind: msg.InvalidSyntax}
	}
	if c.in, err = x.m.cfg.SPIs.Reserve(); err != nil {
		return nil, msg.Notify{Kind: msg.NoAdditionalSAs}
	}
	made := func(agreed [][]byte, out *Out) msg.Notify {
		if no := then(lowest(n)); no.Kind != 0 {
			return no
		}
		if x.byOut(c.out) != nil || x.makeChild(s, c, choice, n, false, agreed, replaces, out) != nil {
			return msg.Notify{Kind: msg.NoProposalChosen}
		}
		if replaces == 0 {
			x.single(c)
		}
		return msg.Notify{}
	}
	ps := []msg.Payload{msg.SA{choice.Proposal(msg.ProtocolESP, spi4(c.in))}}
	if own {
		ps = append(ps, msg.Nonce(n.Responder))
	}
	if public != nil {
		ps = append(ps, msg.KE{Method: ke.Method, Data: public})
	}
	ps = append(ps, msg.TSi(c.theirs), msg.TSr(c.ours))
	if c.may = c.takes && x.m.takesPartial(); c.may { // who does not say it may not know it
		ps = append(ps, partialChecksums)
	}
	if len(choice.Additional) > 0 {
		return append(ps, x.await(&halfway{left: choice.Additional, agreed: [][]byte{shared}, spi: c.in, made: made})), msg.Notify{}
	}
	if no := made([][]byte{shared}, out); no.Kind != 0 {
		x.m.cfg.SPIs.Release(c.in)
		return nil, no
	}
	return ps, msg.Notify{}
}

// wanted is the Child SA that a request is for, without our SPI.
func (x *session) wanted(in inbound, allowed []msg.Proposal, ke msg.KE, keyed bool) (c *child, choice crypt.Choice, no msg.Notify) {
	policy := x.peer.Child
	offer, ok1 := msg.First[msg.SA](in.payloads)
	tsi, ok2 := msg.First[msg.TSi](in.payloads)
	tsr, ok3 := msg.First[msg.TSr](in.payloads)
	switch {
	case !ok1 || !ok2 || !ok3:
		return nil, choice, msg.Notify{Kind: msg.InvalidSyntax}
	case policy == nil:
		return nil, choice, msg.Notify{Kind: msg.TSUnacceptable}
	case len(x.children) >= maxChildren:
		return nil, choice, msg.Notify{Kind: msg.NoAdditionalSAs}
	}
	choice, ok := crypt.Choose(allowed, offer, ke.Method)
	if !ok || len(choice.SPI) != 4 {
		return nil, choice, msg.Notify{Kind: msg.NoProposalChosen}
	}
	c = &child{out: binary.BigEndian.Uint32(choice.SPI), theirs: narrow(tsi, policy.Theirs), ours: narrow(tsr, policy.Ours), takes: partialTaken(in.payloads)}
	switch {
	case c.out < leastSPI || x.byOut(c.out) != nil:
		return nil, choice, msg.Notify{Kind: msg.InvalidSyntax}
	case len(c.ours) == 0 || len(c.theirs) == 0:
		return nil, choice, msg.Notify{Kind: msg.TSUnacceptable}
	case choice.KeyExchange != msg.KENone && (!keyed || choice.KeyExchange != ke.Method):
		return nil, choice, msg.Notify{Kind: msg.InvalidKE, Data: number16(choice.KeyExchange)}
	}
	return c, choice, msg.Notify{}
}

// single has one of two Child SAs for the same traffic end, where one session with the peer is enough: both sides may have wished for one at once. It is
// that with the lowest nonce, as of two that replace the same one (§2.8.1), and who asked for it deletes it.
func (x *session) single(fresh *child) {
	for _, c := range x.children {
		if !x.peer.Unique || c == fresh || c.ends || !slices.EqualFunc(c.ours, fresh.ours, same) || !slices.EqualFunc(c.theirs, fresh.theirs, same) {
			continue
		}
		loser := fresh
		if lower(c.low, fresh.low) {
			loser = c
		}
		if loser.asked {
			loser.ends, loser.replaced = true, true
			x.wish(&deleteChild{spi: loser.in})
		}
	}
}

// partialChecksums goes with the payloads of a Child SA whose packets need not be complete when they come.
var partialChecksums = msg.Notify{Kind: msg.PartialChecksums, Data: []byte(msg.PartialChecksumsData)}

func partialTaken(ps []msg.Payload) bool {
	n, ok := msg.Notified(ps, msg.PartialChecksums)
	return ok && string(n.Data) == msg.PartialChecksumsData
}

func (m *Machine) takesPartial() bool { return m.cfg.TakesPartial != nil && m.cfg.TakesPartial() }

// always is for a Child SA that replaces nothing.
func always([]byte) msg.Notify { return msg.Notify{} }

func spi4(spi uint32) []byte { return binary.BigEndian.AppendUint32(nil, spi) }

func clone(n msg.Nonce) []byte { return bytes.Clone(n) }
