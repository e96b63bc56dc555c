package msg

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// SA is what the initiator offers, each Proposal a whole alternative, or the one that the responder took, §3.3.
type SA []Proposal

// Proposal is a set of transforms for one security association. Those of one type are alternatives; one of each type is taken.
type Proposal struct {
	Number     uint8 // offers count from 1 upwards, an answer repeats the number of what it takes
	Protocol   Protocol
	SPI        []byte // the sender's: 4 bytes for ESP and AH; for IKE 8 if the SA replaces another, else none
	Transforms []Transform
}

const (
	proposalSize = 8 // without SPI and transforms
	moreProposal = 2 // the first byte of all proposals but the last
)

func (SA) Type() PayloadType { return TypeSA }

// Of is the transforms of one type, in the order of the sender's preference. Those that stand beside each other, as they mostly do, are p's own.
func (p Proposal) Of(t TransformType) []Transform {
	from := slices.IndexFunc(p.Transforms, func(tr Transform) bool { return tr.Type == t })
	if from < 0 {
		return nil
	}
	to := from + 1
	for to < len(p.Transforms) && p.Transforms[to].Type == t {
		to++
	}
	of := p.Transforms[from:to:to]
	for _, tr := range p.Transforms[to:] {
		if tr.Type == t {
			of = append(of, tr)
		}
	}
	return of
}

func parseSA(s span) (SA, *Error) {
	var sa SA
	for more := true; more; {
		if len(sa) == MaxProposals {
			return nil, s.fail(0, "proposals", "more than %d", MaxProposals)
		}
		p, tail, err := nextProposal(s, &more)
		if err == nil && len(sa) > 0 && p.Number <= sa[len(sa)-1].Number {
			err = s.fail(4, "number", "%d after %d", p.Number, sa[len(sa)-1].Number)
		}
		if err != nil {
			return nil, err.within("proposal %d", len(sa)+1)
		}
		sa, s = append(sa, p), tail
	}
	if len(s.b) > 0 {
		return nil, s.fail(0, "proposals", "%d bytes after the last", len(s.b))
	}
	return slices.Clip(sa), nil
}

func nextProposal(s span, more *bool) (p Proposal, tail span, err *Error) {
	piece, tail, err := s.part(2, proposalSize)
	if err != nil {
		return p, tail, err
	}
	if *more, err = moreOf(piece, moreProposal); err != nil {
		return p, tail, err
	}
	p, err = parseProposal(piece)
	return p, tail, err
}

// moreOf reads the first byte of a proposal or transform: zero for the last, yes for the others.
func moreOf(s span, yes byte) (bool, *Error) {
	if s.b[0] != 0 && s.b[0] != yes {
		return false, s.fail(0, "header", "its first byte is %d, not 0 or %d", s.b[0], yes)
	}
	return s.b[0] == yes, nil
}

func parseProposal(s span) (Proposal, *Error) {
	p := Proposal{Number: s.b[4], Protocol: Protocol(s.b[5])}
	spiSize, count := int(s.b[6]), int(s.b[7])
	if p.Number == 0 {
		return p, s.fail(4, "number", "0; they begin at 1")
	}
	child := p.Protocol == ProtocolESP || p.Protocol == ProtocolAH
	if !p.Protocol.fits(spiSize) || spiSize == 0 && child {
		return p, s.fail(6, "SPI", "%d bytes for %s", spiSize, p.Protocol)
	}
	if count == 0 || count > MaxTransforms {
		return p, s.fail(7, "transforms", "%d, not 1 to %d", count, MaxTransforms)
	}
	if err := s.need(proposalSize+spiSize, "SPI"); err != nil {
		return p, err
	}
	_, rest := s.cut(proposalSize)
	spi, rest := rest.cut(spiSize)
	p.SPI = spi.bytes()
	if len(rest.b) < count*transformSize {
		return p, rest.fail(0, "transforms", "%d do not fit %d bytes", count, len(rest.b))
	}
	p.Transforms = make([]Transform, count)
	for i := range p.Transforms {
		var err *Error
		if p.Transforms[i], rest, err = nextTransform(rest, i == count-1); err != nil {
			return p, err.within("transform %d", i+1)
		}
	}
	if len(rest.b) > 0 {
		return p, rest.fail(0, "transforms", "%d bytes after the last", len(rest.b))
	}
	return p, nil
}

func (sa SA) body(b []byte) ([]byte, error) {
	for i, p := range sa {
		start := len(b)
		if len(p.SPI) > 255 || len(p.Transforms) > MaxTransforms {
			return b, &EncodeError{fmt.Sprintf("SA: proposal %d", i+1), "its SPI is too long, or it has too many transforms"}
		}
		b = append(b, unlessLast(moreProposal, i, len(sa)), 0, 0, 0, p.Number, byte(p.Protocol), byte(len(p.SPI)), byte(len(p.Transforms)))
		b = append(b, p.SPI...)
		for j, t := range p.Transforms {
			var err error
			if b, err = t.append(b, unlessLast(moreTransform, j, len(p.Transforms))); err != nil {
				return b, err
			}
		}
		if len(b)-start > MaxMessage {
			return b, &EncodeError{fmt.Sprintf("SA: proposal %d", i+1), fmt.Sprintf("more than %d bytes", MaxMessage)}
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	}
	return b, nil
}

func unlessLast(mark byte, i, n int) byte {
	if i == n-1 {
		return 0
	}
	return mark
}
