package acl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// rules makes a reader of a list of rules.
func (p *parser) rules(read func(v *hujson.Value, path string)) func(*hujson.Value, string) {
	return func(v *hujson.Value, path string) {
		p.array(v, path, func(v *hujson.Value, path string) {
			if len(p.doc.Rules) == MaxRules {
				p.fail(v, path, fmt.Sprintf("more than %d rules", MaxRules), "")
				return
			}
			read(v, path)
		})
	}
}

// draft is a rule whose parts are read in any order and put together at its end.
type draft struct {
	Rule
	src, dst         []text
	proto            text
	ip               []text
	hasSrc, hasDst   bool
	hasProto, hasIP  bool
	appOnly, steered text // set if the rule has "app", "via"
}

// common are the fields of every rule.
func (p *parser) common(d *draft) []field {
	postures := func(v *hujson.Value, path string) { d.Postures = append(d.Postures, p.postureNames(v, path)...) }
	return []field{
		{"action", func(v *hujson.Value, path string) {
			if t, ok := p.str(v, path); ok {
				p.action(d, t)
			}
		}},
		{"src", func(v *hujson.Value, path string) { d.src, d.hasSrc = append(d.src, p.strs(v, path)...), true }},
		{"dst", func(v *hujson.Value, path string) { d.dst, d.hasDst = append(d.dst, p.strs(v, path)...), true }},
		{"priority", func(v *hujson.Value, path string) { d.Priority = p.integer(v, path, -MaxPriority, MaxPriority) }},
		{"when", func(v *hujson.Value, path string) { d.When = p.window(v, path) }},
		{"require", func(v *hujson.Value, path string) {
			for _, t := range p.strs(v, path) {
				if t.string != "ipsec" {
					p.failText(t, "unknown requirement", `known is "ipsec"`)
				}
				d.IPsec = true
			}
		}},
		{"posture", postures},
		{"srcPosture", postures},
		{"description", func(v *hujson.Value, path string) {
			t, _ := p.str(v, path)
			d.Description = t.string
		}},
	}
}

// old reads a list that stands under the name that it had once.
func (p *parser) old(v *hujson.Value, path, name string) []text {
	p.add(Problem{Pos: p.pos(v.StartOffset), Warning: true, Path: path, What: "an old spelling", Hint: `write "` + name + `"`})
	return p.strs(v, path)
}

func (p *parser) action(d *draft, t text) {
	switch t.string {
	case "accept", "allow":
	case "deny":
		d.Deny = true
	default:
		p.failText(t, "unknown action", `actions are "accept" and "deny"`)
	}
}

// acl reads an entry of "acls": protocol beside, ports behind each destination.
func (p *parser) acl(v *hujson.Value, path string) {
	d := draft{Rule: Rule{Path: path, Pos: p.pos(v.StartOffset)}}
	fields := append(p.common(&d),
		field{"proto", func(v *hujson.Value, path string) {
			if l, ok := v.Value.(hujson.Literal); ok && l.Kind() == '0' {
				d.proto, d.hasProto = text{string(l), p.pos(v.StartOffset), path}, true
				return
			}
			d.proto, d.hasProto = p.str(v, path)
		}},
		field{"users", func(v *hujson.Value, path string) { d.src, d.hasSrc = append(d.src, p.old(v, path, "src")...), true }},
		field{"ports", func(v *hujson.Value, path string) { d.dst, d.hasDst = append(d.dst, p.old(v, path, "dst")...), true }},
	)
	if !p.object(v, path, fields...) || !p.complete(v, &d) {
		return
	}
	p.denying = d.Deny
	defer func() { p.denying = false }()
	var numbers []uint8
	var every bool
	named := d.hasProto && d.proto.string != ""
	if named {
		var problem string
		if numbers, every, problem = protocol(d.proto.string); problem != "" {
			p.failText(d.proto, problem, "")
			named = false // what else is wrong with the rule is told too
		}
	}
	for _, t := range d.dst {
		host, list, ok := p.destination(t)
		if !ok {
			continue
		}
		if !named {
			numbers, every = unnamed(d.Deny, list)
		}
		switch whole := slices.Contains(list, everyPort); {
		case every && !whole:
			p.failText(t, "every protocol has no ports in common", "write :*, or name a protocol")
			continue
		case named && portless(numbers, list):
			p.failText(t, "protocol "+d.proto.string+" has no ports", "write :*")
			continue
		}
		d.Dst = append(d.Dst, Target{p.selector(host, inDst), services(numbers, every, list)})
	}
	p.finish(&d)
}

// destination takes "host:ports" apart.
func (p *parser) destination(t text) (host text, list []span, ok bool) {
	at := strings.LastIndexByte(t.string, ':')
	host = text{t.string[:max(at, 0)], t.pos, t.path}
	if at < 0 || host.string == "tag" || host.string == "group" || host.string == "autogroup" || host.string == "user" {
		p.failText(t, "no ports", "write "+t.string+":* or "+t.string+":443")
		return host, nil, false
	}
	if n := len(host.string); n > 1 && host.string[0] == '[' && host.string[n-1] == ']' {
		host.string = host.string[1 : n-1]
	}
	list, problem := ports(t.string[at+1:])
	if problem != "" {
		hint := "ports follow the last colon: 443, 80,443, 8000-8100 or *"
		if strings.Contains(t.string[at:], "/") {
			hint = `a protocol stands beside: "proto": "tcp"`
		}
		p.failText(t, problem, hint)
		return host, nil, false
	}
	return host, list, true
}

// grant reads an entry of "grants": destinations without ports, services beside.
func (p *parser) grant(v *hujson.Value, path string) {
	d := draft{Rule: Rule{Path: path, Pos: p.pos(v.StartOffset)}}
	note := func(to *text) func(*hujson.Value, string) {
		return func(v *hujson.Value, path string) { *to = text{pos: p.pos(v.StartOffset), path: path} }
	}
	fields := append(p.common(&d),
		field{"ip", func(v *hujson.Value, path string) { d.ip, d.hasIP = p.strs(v, path), true }},
		field{"app", note(&d.appOnly)}, field{"via", note(&d.steered)})
	if !p.object(v, path, fields...) || !p.complete(v, &d) {
		return
	}
	p.denying = d.Deny
	defer func() { p.denying = false }()
	if d.appOnly.path != "" {
		p.nothing(d.appOnly, "application capabilities do not exist here: kept, and grant nothing", "")
	}
	if d.steered.path != "" {
		p.nothing(d.steered, "steering does not exist here: the whole rule grants nothing", "")
	}
	if !d.hasIP && d.appOnly.path == "" {
		p.fail(v, path, `no "ip"`, `such as "ip": ["tcp:443"], or ["*"]`)
		return
	}
	var list []Service
	for _, t := range d.ip {
		s, problem := service(t.string, d.Deny)
		if problem != "" {
			p.failText(t, problem, `such as "tcp:443", "80-90", "icmp:*", "*"`)
		}
		list = append(list, s...)
	}
	list = merge(list)
	for _, t := range d.dst {
		d.Dst = append(d.Dst, Target{p.selector(t, inDst), list})
	}
	if d.steered.path != "" || len(d.ip) == 0 {
		return
	}
	p.finish(&d)
}

// complete reports what every rule must have.
func (p *parser) complete(v *hujson.Value, d *draft) bool {
	if !d.hasSrc {
		p.fail(v, d.Path, `no "src"`, `such as "src": ["group:dev"]`)
	}
	if !d.hasDst {
		p.fail(v, d.Path, `no "dst"`, `such as "dst": ["tag:web:443"]`)
	}
	if d.Deny && d.IPsec {
		p.fail(v, d.Path, "a rule that denies requires nothing", `leave "require" away`)
	}
	return d.hasSrc && d.hasDst
}

// finish reads the sources and keeps the rule.
func (p *parser) finish(d *draft) {
	if n := max(len(d.src), 1) * max(len(d.Dst), 1); n > MaxList {
		p.add(Problem{Pos: d.Pos, Path: d.Path, What: fmt.Sprintf("%d pairs of source and destination, at most %d are allowed", n, MaxList)})
		return
	}
	for _, t := range d.src {
		d.Src = append(d.Src, p.selector(t, inSrc))
	}
	if len(d.src) == 0 || len(d.dst) == 0 {
		p.add(Problem{Pos: d.Pos, Warning: true, Path: d.Path, What: "matches nothing: src or dst is empty"})
	}
	p.doc.Rules = append(p.doc.Rules, d.Rule)
}

// postureNames reads a list of names of postures.
func (p *parser) postureNames(v *hujson.Value, path string) (names []string) {
	for _, t := range p.strs(v, path) {
		p.uses = append(p.uses, use{t, usesPosture})
		names = append(names, t.string)
	}
	return names
}

// usesPosture marks a use that is no Selector.
const usesPosture Kind = 255
