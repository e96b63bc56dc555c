package msg

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// TSi says which traffic of the initiator's side goes into a Child SA, TSr which of the responder's, §3.13. Any of them may match.
type (
	TSi []Selector
	TSr []Selector
)

// Selector is a range of addresses and ports, ends included, §3.13.1.
type Selector struct {
	Kind     SelectorKind
	Protocol uint8 // of IP; 0 is any
	// FromPort and ToPort are 0 and 65535 for any, and 65535 and 0 (OpaquePorts) for packets whose ports cannot be seen. For ICMP
	// they are type and code in one number.
	FromPort, ToPort uint16
	From, To         netip.Addr
	Unknown          []byte // what a selector of another kind has after Protocol and length; the rest is then zero
}

// SelectorKind is what the addresses of a selector are.
type SelectorKind uint8

const (
	SelectIPv4 SelectorKind = 7
	SelectIPv6 SelectorKind = 8
)

const selectorSize = 8 // without addresses

func (TSi) Type() PayloadType { return TypeTSi }
func (TSr) Type() PayloadType { return TypeTSr }

// PrefixSelector is the selector of all traffic of a prefix.
func PrefixSelector(p netip.Prefix) Selector {
	p = p.Masked()
	from := p.Addr()
	to := from.AsSlice()
	for i := p.Bits(); i < len(to)*8 && i >= 0; i++ {
		to[i/8] |= 1 << (7 - i%8)
	}
	s := Selector{Kind: SelectIPv6, ToPort: 65535, From: from}
	if from.Is4() {
		s.Kind = SelectIPv4
	}
	s.To, _ = netip.AddrFromSlice(to)
	return s
}

// OpaquePorts reports whether s is about packets whose ports cannot be seen.
func (s Selector) OpaquePorts() bool { return s.FromPort == 65535 && s.ToPort == 0 }

func parseSelectors(s span) ([]Selector, *Error) {
	if err := s.need(4, "selectors"); err != nil {
		return nil, err
	}
	count := int(s.b[0])
	if count == 0 || count > MaxSelectors {
		return nil, s.fail(0, "selectors", "%d, not 1 to %d", count, MaxSelectors)
	}
	_, rest := s.cut(4)
	if len(rest.b) < count*4 {
		return nil, rest.fail(0, "selectors", "%d do not fit %d bytes", count, len(rest.b))
	}
	all := make([]Selector, count)
	for i := range all {
		piece, tail, err := rest.part(2, 4)
		if err == nil {
			all[i], err = parseSelector(piece)
		}
		if err != nil {
			return nil, err.within("selector %d", i+1)
		}
		rest = tail
	}
	if len(rest.b) > 0 {
		return nil, rest.fail(0, "selectors", "%d bytes after the last", len(rest.b))
	}
	return all, nil
}

func parseSelector(s span) (Selector, *Error) {
	sel := Selector{Kind: SelectorKind(s.b[0]), Protocol: s.b[1]}
	size := sel.Kind.addrSize()
	if size == 0 {
		_, unknown := s.cut(4)
		sel.Unknown = unknown.bytes()
		return sel, nil
	}
	if len(s.b) != selectorSize+2*size {
		return sel, s.fail(2, sel.Kind.String(), "length %d, not %d", len(s.b), selectorSize+2*size)
	}
	sel.FromPort, sel.ToPort = s.u16(4), s.u16(6)
	sel.From, _ = netip.AddrFromSlice(s.b[8 : 8+size])
	sel.To, _ = netip.AddrFromSlice(s.b[8+size:])
	if sel.FromPort > sel.ToPort && !sel.OpaquePorts() {
		return sel, s.fail(4, "ports", "from %d down to %d", sel.FromPort, sel.ToPort)
	}
	if sel.To.Less(sel.From) {
		return sel, s.fail(8, "addresses", "the last is below the first")
	}
	return sel, nil
}

// addrSize is the size of an address, or 0 for a kind that we do not know.
func (k SelectorKind) addrSize() int {
	switch k {
	case SelectIPv4:
		return 4
	case SelectIPv6:
		return 16
	}
	return 0
}

func (ts TSi) body(b []byte) ([]byte, error) { return appendSelectors(b, ts) }
func (ts TSr) body(b []byte) ([]byte, error) { return appendSelectors(b, ts) }

func appendSelectors(b []byte, all []Selector) ([]byte, error) {
	if len(all) > MaxSelectors {
		return b, &EncodeError{"TS", fmt.Sprintf("%d selectors, the limit is %d", len(all), MaxSelectors)}
	}
	b = append(b, byte(len(all)), 0, 0, 0)
	for _, s := range all {
		start := len(b)
		b = append(b, byte(s.Kind), s.Protocol, 0, 0)
		if s.Kind.addrSize() == 0 {
			b = append(b, s.Unknown...)
		} else {
			b = binary.BigEndian.AppendUint16(b, s.FromPort)
			b = binary.BigEndian.AppendUint16(b, s.ToPort)
			b = append(append(b, s.From.AsSlice()...), s.To.AsSlice()...)
		}
		if len(b)-start > MaxMessage {
			return b, &EncodeError{"TS: selector", fmt.Sprintf("more than %d bytes", MaxMessage)}
		}
		binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	}
	return b, nil
}
