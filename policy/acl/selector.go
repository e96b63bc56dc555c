package acl

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
)

// place says what a selector stands for, because not every kind may stand everywhere.
type place uint8

const (
	inSrc place = 1 << iota
	inDst
	inOwners // tagOwners, autoApprovers
	inTest   // the source of a test: one party, not many
)

type autogroup struct {
	kind Kind
	in   place
}

var autogroups = map[string]autogroup{
	"member":     {Member, inSrc | inDst | inOwners},
	"members":    {Member, inSrc | inDst | inOwners}, // an older spelling
	"tagged":     {Tagged, inSrc | inDst},
	"self":       {Self, inDst},
	"internet":   {Internet, inDst},
	"admin":      {Admin, inSrc | inDst | inOwners},
	"owner":      {Owner, inSrc | inDst | inOwners},
	"danger-all": {Any, inSrc},
}

var autogroupNames = []string{"autogroup:member", "autogroup:tagged", "autogroup:self", "autogroup:internet", "autogroup:admin", "autogroup:owner"}

// selector reads what selects nodes or addresses. A Selector of kind Nobody comes with a problem.
func (p *parser) selector(t text, in place) Selector {
	s := Selector{Name: t.string, Text: t.string, Pos: t.pos}
	switch {
	case t.string == "":
		p.failText(t, "empty", "")
	case len(t.string) > maxName:
		p.failText(t, "too long", "")
	case t.string == "*":
		s.Kind = Any
		if in == inOwners {
			s.Kind = Nobody
			p.failText(t, "everybody may not own", "write autogroup:member")
		}
		if in&inTest != 0 {
			p.failText(t, "a test asks about one source and one destination", "")
		}
	case strings.HasPrefix(t.string, "autogroup:"):
		p.autogroup(&s, t, in)
	case strings.HasPrefix(t.string, "group:"):
		s.Kind = GroupOf
		p.uses = append(p.uses, use{t, GroupOf})
	case strings.HasPrefix(t.string, "tag:"):
		s.Kind = Tag
		p.uses = append(p.uses, use{t, Tag})
	case strings.HasPrefix(t.string, "ipset:") || strings.HasPrefix(t.string, "svc:"):
		p.nothing(t, "address sets and services do not exist here, this selects nobody", "name the addresses in \"hosts\"")
	case strings.HasPrefix(t.string, "user:") || strings.Contains(t.string, "@"):
		s.Kind, s.Name = p.user(t)
	default:
		p.address(&s, t, in)
	}
	return s
}

// user reads "alice@example.com", "user:alice" and "user:*@example.com". A star that stands elsewhere would be part of a name that nobody has.
func (p *parser) user(t text) (Kind, string) {
	name, prefixed := strings.CutPrefix(t.string, "user:")
	name = strings.ToLower(name)
	domain, everybody := strings.CutPrefix(name, "*@")
	switch {
	case !strings.Contains(name, "*") && name != "":
		return User, name
	case !everybody || domain == "" || strings.ContainsAny(domain, "*@"):
		p.nobody(t, "not a user", "write alice@example.com, or user:*@example.com for everybody with that domain")
	case !prefixed:
		p.nobody(t, "not a user", "everybody with that domain is user:"+name)
	default:
		return Domain, domain
	}
	return Nobody, ""
}

// nobody refuses t, unless its document is in force already.
func (p *parser) nobody(t text, what, hint string) {
	if p.opt.Kept {
		p.warnText(t, what, hint)
		return
	}
	p.failText(t, what, hint)
}

func (p *parser) autogroup(s *Selector, t text, in place) {
	name := t.string[len("autogroup:"):]
	a, known := autogroups[name]
	switch {
	case name == "shared" || name == "nonroot" || name == "network-admin" || name == "it-admin" || name == "billing-admin" || name == "auditor":
		p.nothing(t, "does not exist here, this selects nobody", suggest(t.string, autogroupNames))
	case !known:
		p.failText(t, "unknown autogroup", suggest(t.string, autogroupNames))
	case a.in&in == 0:
		p.failText(t, "may not stand here", map[Kind]string{
			Self: "it is a destination", Internet: "it is a destination", Any: "it is a source", Tagged: "name a tag",
		}[a.kind])
	default:
		s.Kind = a.kind
		if name == "danger-all" {
			p.warnText(t, `means the same as "*" here: no packet comes from outside the network`, "")
		}
	}
}

// nothing notes that t selects nobody: a warning, in a rule that denies an error, because there it would open something.
func (p *parser) nothing(t text, what, hint string) {
	if p.denying {
		p.failText(t, what, hint)
		return
	}
	p.warnText(t, what, hint)
}

// address reads an address, a prefix, a range or an alias.
func (p *parser) address(s *Selector, t text, in place) {
	if in == inOwners {
		p.failText(t, "neither a user, a group nor a tag", "users have an @: alice@example.com, alice@")
		return
	}
	if p.spans > maxSpans {
		return // told already
	}
	prefixes, problem := addresses(t.string)
	if len(prefixes) > 1 {
		p.spans += len(prefixes)
	}
	switch {
	case p.spans > maxSpans:
		p.failText(t, fmt.Sprintf("the document's ranges of addresses come to more than %d prefixes", maxSpans), "write prefixes, such as 10.0.0.0/8")
	case problem != "":
		p.failText(t, problem, "")
	case prefixes != nil:
		s.Kind, s.Prefixes = Address, prefixes
	default:
		s.Kind = Address
		p.uses = append(p.uses, use{t, Address})
		p.aliased = true
	}
}

// addresses reads "10.0.0.1", "10.0.0.0/8" and "10.0.0.1-10.0.0.9". Both results are empty if the text is something else.
func addresses(s string) (prefixes []netip.Prefix, problem string) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return nil, "an address with a zone means nothing in a network"
		}
		a = a.Unmap()
		return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, ""
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, "not a prefix"
		}
		if p.Addr().Is4In6() {
			return nil, "an IPv4 prefix written as IPv6"
		}
		if p != p.Masked() {
			return nil, "has bits behind its length, write " + p.Masked().String()
		}
		return []netip.Prefix{p}, ""
	}
	from, to, dash := strings.Cut(s, "-")
	a, err := netip.ParseAddr(from)
	b, err2 := netip.ParseAddr(to)
	if !dash || err != nil || err2 != nil {
		return nil, ""
	}
	if a.Is4() != b.Is4() || b.Less(a) || a.Zone() != "" || b.Zone() != "" {
		return nil, "not a range from a lower to a higher address"
	}
	return Span(a, b), ""
}

// Span returns the prefixes that cover the addresses from a to b and no others: at most 2*BitLen-2.
func Span(a, b netip.Addr) (list []netip.Prefix) {
	for {
		p := netip.PrefixFrom(a, a.BitLen()-zeros(a))
		for b.Less(lastOf(p)) {
			p = netip.PrefixFrom(a, p.Bits()+1)
		}
		list = append(list, p)
		last := lastOf(p)
		if !last.Less(b) {
			return list
		}
		a = last.Next()
	}
}

// zeros counts the bits at an address's end that are not set.
func zeros(a netip.Addr) (n int) {
	raw := a.AsSlice()
	for i := len(raw) - 1; i >= 0; i-- {
		if raw[i] != 0 {
			return n + bits.TrailingZeros8(raw[i])
		}
		n += 8
	}
	return n
}

// lastOf returns the highest address of a prefix that has no bits behind its length.
func lastOf(p netip.Prefix) netip.Addr {
	if p.Addr().Is4() {
		raw := p.Addr().As4()
		fill(raw[:], p.Bits())
		return netip.AddrFrom4(raw)
	}
	raw := p.Addr().As16()
	fill(raw[:], p.Bits())
	return netip.AddrFrom16(raw)
}

// fill sets all bits from one on.
func fill(raw []byte, from int) {
	if rest := from % 8; rest != 0 {
		raw[from/8] |= 0xff >> rest
		from += 8 - rest
	}
	for i := from / 8; i < len(raw); i++ {
		raw[i] = 0xff
	}
}
