package crypt

import (
	"slices"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// Choice is one algorithm of each type.
type Choice struct {
	Number      uint8  // of the proposal in the offer
	SPI         []byte // that came with it
	Transforms  []msg.Transform
	Encryption  msg.Transform
	Integrity   msg.Transform // zero for an AEAD
	PRF         msg.Transform
	KeyExchange msg.TransformID   // KENone: a Child SA without one of its own
	Additional  []msg.TransformID // in the order in which they are carried out (RFC 9370)
	Extended    bool              // sequence numbers
}

// Proposal is the choice as an SA payload has it, with an SPI of the one who answers.
func (c Choice) Proposal(p msg.Protocol, spi []byte) msg.Proposal {
	return msg.Proposal{Number: c.Number, Protocol: p, SPI: spi, Transforms: c.Transforms}
}

// Propose numbers proposals and gives them our SPI.
func Propose(ours []msg.Proposal, spi []byte) msg.SA {
	sa := make(msg.SA, len(ours))
	for i, p := range ours {
		p.Number, p.SPI = uint8(i+1), spi
		sa[i] = p
	}
	return sa
}

// Choose takes from an offer what is best by our order of preference, §2.7. guess is the method of the KE payload that came with it:
// if that is allowed, it is taken, which saves a round trip; what is allowed is good enough.
func Choose(ours []msg.Proposal, offer msg.SA, guess msg.TransformID) (Choice, bool) {
	for _, our := range ours {
		for _, their := range offer {
			if our.Protocol != their.Protocol {
				continue
			}
			if c, ok := match(our, their, guess); ok {
				return c, true
			}
		}
	}
	return Choice{}, false
}

// match takes one transform of each type that either side has.
func match(our, their msg.Proposal, guess msg.TransformID) (Choice, bool) {
	var taken []msg.Transform
	for _, t := range kinds(our, their) {
		tr, ok := agree(our.Of(t), their.Of(t), t, guess)
		if !ok {
			return Choice{}, false
		}
		if tr.Type != 0 {
			taken = append(taken, tr)
		}
	}
	return newChoice(their.Number, their.SPI, taken)
}

// kinds are the types of transforms that occur.
func kinds(ps ...msg.Proposal) (all []msg.TransformType) {
	for _, p := range ps {
		for _, tr := range p.Transforms {
			if !slices.Contains(all, tr.Type) {
				all = append(all, tr.Type)
			}
		}
	}
	slices.Sort(all)
	return all
}

// agree is the best transform of one type that both sides have. One that says "none" may be left out by either side; if both leave it
// out it is not in the answer, and the zero Transform here.
func agree(our, their []msg.Transform, t msg.TransformType, guess msg.TransformID) (msg.Transform, bool) {
	if len(their) == 0 {
		return msg.Transform{}, slices.ContainsFunc(our, isNone)
	}
	if len(our) == 0 {
		our = []msg.Transform{{Type: t}} // NONE, and for SequenceNumbers those of 32 bits
		if t == msg.Encryption || t == msg.PRF {
			return msg.Transform{}, false
		}
	}
	if t == msg.KeyExchange {
		our = first(our, guess)
	}
	for _, tr := range our {
		if slices.ContainsFunc(their, tr.Equal) {
			return tr, true
		}
	}
	return msg.Transform{}, false
}

// isNone reports whether leaving a transform out means the same.
func isNone(tr msg.Transform) bool {
	switch {
	case tr.Type == msg.Integrity, tr.Type == msg.KeyExchange, tr.Type == msg.SequenceNumbers, additional(tr.Type):
		return tr.ID == 0
	}
	return false
}

func additional(t msg.TransformType) bool { return t >= msg.AdditionalKE1 && t <= msg.AdditionalKE7 }

// first moves the transform with an ID to the front.
func first(all []msg.Transform, id msg.TransformID) []msg.Transform {
	for i, tr := range all {
		if tr.ID == id && id != msg.KENone {
			return slices.Concat(all[i:i+1], all[:i], all[i+1:])
		}
	}
	return all
}

// Answered checks that a responder's SA payload takes something that we offered, once and whole (§3.3.6).
func Answered(offer, answer msg.SA) (Choice, bool) {
	if len(answer) != 1 {
		return Choice{}, false
	}
	a := answer[0]
	for _, o := range offer {
		if o.Number != a.Number || o.Protocol != a.Protocol {
			continue
		}
		for _, t := range kinds(o, a) {
			of := a.Of(t)
			switch {
			case len(of) > 1:
				return Choice{}, false
			case len(of) == 0 && !slices.ContainsFunc(o.Of(t), isNone):
				return Choice{}, false
			case len(of) == 1 && len(o.Of(t)) == 0 && !isNone(of[0]):
				return Choice{}, false
			case len(of) == 1 && len(o.Of(t)) > 0 && !slices.ContainsFunc(o.Of(t), of[0].Equal):
				return Choice{}, false
			}
		}
		return newChoice(a.Number, a.SPI, a.Transforms)
	}
	return Choice{}, false
}

func newChoice(number uint8, spi []byte, transforms []msg.Transform) (Choice, bool) {
	c := Choice{Number: number, SPI: slices.Clone(spi), Transforms: slices.Clone(transforms)}
	for _, tr := range transforms {
		switch {
		case tr.Type == msg.Encryption:
			c.Encryption = tr
		case tr.Type == msg.Integrity && tr.ID != msg.IntegNone:
			c.Integrity = tr
		case tr.Type == msg.PRF:
			c.PRF = tr
		case tr.Type == msg.KeyExchange:
			c.KeyExchange = tr.ID
		case tr.Type == msg.SequenceNumbers:
			c.Extended = tr.ID == msg.Sequence64
		case additional(tr.Type) && tr.ID != msg.KENone:
			if slices.Contains(c.Additional, tr.ID) || tr.ID == c.KeyExchange {
				return Choice{}, false // RFC 9370 §2.2.1: no method twice
			}
			c.Additional = append(c.Additional, tr.ID)
		}
	}
	return c, true
}
