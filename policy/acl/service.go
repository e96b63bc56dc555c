package acl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Protocols that the text knows by name, and what a name stands for.
var protocols = map[string][]uint8{
	"icmp": {1, 58}, "igmp": {2}, "ipv4": {4}, "ip-in-ip": {4}, "tcp": {6}, "egp": {8}, "igp": {9}, "udp": {17}, "dccp": {33},
	"gre": {47}, "esp": {50}, "ah": {51}, "ipv6-icmp": {58}, "icmpv6": {58}, "sctp": {132}, "udplite": {136},
}

// byDefault are the protocols of a rule that names none: TCP, UDP, ICMP, ICMPv6.
var byDefault = []uint8{6, 17, 1, 58}

// withPorts are those that a rule which denies ports means when it names none: it must not deny ICMP by the way.
var withPorts = []uint8{6, 17, 33, 132, 136}

// unnamed are the protocols of a rule that names none: one that denies all ports denies everything.
func unnamed(deny bool, list []span) (numbers []uint8, every bool) {
	switch {
	case !deny:
		return byDefault, false
	case slices.Contains(list, everyPort):
		return nil, true
	}
	return withPorts, false
}

// HasPorts reports whether a protocol's packets begin with a source and a destination port.
func HasPorts(protocol uint8) bool {
	switch protocol {
	case 6, 17, 33, 132, 136:
		return true
	}
	return false
}

// span is a range of ports.
type span struct{ lo, hi uint16 }

var everyPort = span{0, 65535}

// protocolNames reads a protocol; nil with any set means all of them.
func protocol(s string) (list []uint8, every bool, problem string) {
	if s == "*" {
		return nil, true, ""
	}
	if list, ok := protocols[strings.ToLower(s)]; ok {
		return list, false, ""
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || s[0] == '+' {
		names := make([]string, 0, len(protocols))
		for name := range protocols {
			names = append(names, name)
		}
		slices.Sort(names)
		hint := suggest(s, names)
		return nil, false, "unknown protocol" + ifAny("; ", hint)
	}
	return []uint8{uint8(n)}, false, ""
}

func ifAny(before, s string) string {
	if s == "" {
		return ""
	}
	return before + s
}

// ports reads "*", "22", "80,443", "8000-8100".
func ports(s string) (list []span, problem string) {
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "*" {
			list = append(list, everyPort)
			continue
		}
		from, to, dash := strings.Cut(part, "-")
		if !dash {
			to = from
		}
		a, err := strconv.ParseUint(from, 10, 16)
		b, err2 := strconv.ParseUint(to, 10, 16)
		if err != nil || err2 != nil {
			return nil, fmt.Sprintf("%q is neither *, a port from 0 to 65535 nor a range of ports", part)
		}
		if a > b {
			return nil, fmt.Sprintf("the range %q runs backwards", part)
		}
		list = append(list, span{uint16(a), uint16(b)})
		if len(list) > maxPorts {
			return nil, fmt.Sprintf("more than %d port ranges", maxPorts)
		}
	}
	return list, ""
}

const maxPorts = 1024

// services combines protocols and ports.
func services(protocols []uint8, every bool, list []span) []Service {
	if every {
		return []Service{{0, AllServices}}
	}
	var out []Service
	for _, p := range protocols {
		if !HasPorts(p) {
			out = append(out, Service{uint32(p) << 16, uint32(p)<<16 | 65535})
			continue
		}
		for _, s := range list {
			out = append(out, Service{uint32(p)<<16 | uint32(s.lo), uint32(p)<<16 | uint32(s.hi)})
		}
	}
	return merge(out)
}

// portless reports whether ports are given for protocols of which none has any.
func portless(protocols []uint8, list []span) bool {
	whole := len(list) == 1 && list[0] == everyPort
	return !whole && len(protocols) > 0 && !slices.ContainsFunc(protocols, HasPorts)
}

// merge sorts services and joins those that touch.
func merge(list []Service) []Service {
	slices.SortFunc(list, func(a, b Service) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last)) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && s.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, s.Last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// service reads an entry of a grant's "ip": "*", "443", "80-90", "tcp:443", "icmp:*", "udp:*".
func service(s string, deny bool) (out []Service, problem string) {
	name, list, both := strings.Cut(s, ":")
	if !both {
		name, list = "", s
	}
	if both && name == "" {
		return nil, "no protocol before the colon"
	}
	spans, problem := ports(list)
	if problem != "" {
		return nil, problem
	}
	numbers, every := unnamed(deny, spans)
	if name != "" {
		if numbers, every, problem = protocol(name); problem != "" {
			return nil, problem
		}
	}
	switch {
	case every && list != "*":
		return nil, "every protocol has no ports in common, write *:*"
	case portless(numbers, spans) && !every:
		return nil, "this protocol has no ports, write " + name + ":*"
	}
	return services(numbers, every, spans), ""
}

// String writes a service as people know it: "tcp:443", "udp:1-1023", "icmp", "every protocol".
func (s Service) String() string {
	if s.First == 0 && s.Last == AllServices {
		return "every protocol"
	}
	p, q := s.First>>16, s.Last>>16
	if p != q {
		return fmt.Sprintf("%s to %s", Service{s.First, s.First}, Service{s.Last, s.Last})
	}
	name := ProtocolName(uint8(p))
	lo, hi := s.First&0xffff, s.Last&0xffff
	switch {
	case !HasPorts(uint8(p)):
		return name
	case lo == 0 && hi == 65535:
		return name + ":*"
	case lo == hi:
		return fmt.Sprintf("%s:%d", name, lo)
	}
	return fmt.Sprintf("%s:%d-%d", name, lo, hi)
}

// ProtocolName names an IP protocol as documents do, by number if it has no name there.
func ProtocolName(p uint8) string {
	switch p {
	case 1:
		return "icmp"
	case 4:
		return "ipv4"
	case 58:
		return "icmpv6"
	}
	for name, numbers := range protocols {
		if len(numbers) == 1 && numbers[0] == p {
			return name
		}
	}
	return strconv.Itoa(int(p))
}

// ProtocolNumber finds one protocol by the name that documents use, or by its number.
func ProtocolNumber(name string) (uint8, bool) {
	numbers, every, problem := protocol(name)
	if every || problem != "" {
		return 0, false
	}
	return numbers[0], true
}
