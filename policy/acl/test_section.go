package acl

import (
	"time"

	"github.com/tailscale/hujson"
)

// tests reads the section of the same name.
func (p *parser) tests(v *hujson.Value, path string) {
	p.array(v, path, func(v *hujson.Value, path string) {
		t := Test{Pos: p.pos(v.StartOffset), Path: path}
		var src, proto text
		var accept, deny []text
		ok := p.object(v, path,
			field{"src", func(v *hujson.Value, path string) { src, _ = p.str(v, path) }},
			field{"user", func(v *hujson.Value, path string) { src, _ = p.str(v, path) }}, // as "allow" is: an old spelling
			field{"proto", func(v *hujson.Value, path string) { proto, _ = p.str(v, path) }},
			field{"accept", func(v *hujson.Value, path string) { accept = append(accept, p.strs(v, path)...) }},
			field{"allow", func(v *hujson.Value, path string) { accept = append(accept, p.strs(v, path)...) }},
			field{"deny", func(v *hujson.Value, path string) { deny = p.strs(v, path) }},
			field{"srcPostureAttrs", func(v *hujson.Value, path string) { t.Attrs = p.attributes(v, path) }},
			field{"at", func(v *hujson.Value, path string) {
				if s, ok := p.str(v, path); ok {
					at, err := time.Parse(time.RFC3339, s.string)
					if err != nil {
						p.failText(s, "not an instant", `such as "2026-11-26T09:00:00Z"`)
					}
					t.When = at
				}
			}},
			field{"description", func(v *hujson.Value, path string) { p.str(v, path) }},
		)
		if !ok {
			return
		}
		if src.pos == (Pos{}) {
			p.fail(v, path, `no "src"`, `such as "src": "alice@example.com"`)
			return
		}
		t.Src = p.selector(src, inSrc|inTest)
		t.Accept, t.Deny = p.probes(accept, proto), p.probes(deny, proto)
		p.doc.Tests = append(p.doc.Tests, t)
	})
}

// probes reads destinations, of which each names one port.
func (p *parser) probes(list []text, proto text) (probes []Probe) {
	numbers := []uint8{6}
	if proto.string != "" {
		n, every, problem := protocol(proto.string)
		if problem != "" || every {
			p.failText(proto, "not one protocol", "")
			return nil
		}
		numbers = n[:1]
	}
	for _, t := range list {
		host, ports, ok := p.destination(t)
		if !ok {
			continue
		}
		if len(ports) != 1 || ports[0].lo != ports[0].hi && HasPorts(numbers[0]) {
			p.failText(t, "a test names one port", "such as tag:web:443")
			continue
		}
		probes = append(probes, Probe{Target{p.selector(host, inDst|inTest), services(numbers, false, ports)}, t.string})
	}
	return probes
}

// attributes reads what a test's source is supposed to report: strings, numbers, booleans.
func (p *parser) attributes(v *hujson.Value, path string) map[string]string {
	out := map[string]string{}
	p.members(v, path, false, func(name text, v *hujson.Value) {
		l, ok := v.Value.(hujson.Literal)
		if !ok || l.Kind() == 'n' {
			p.fail(v, join(path, name.string), "not a plain value", "")
			return
		}
		out[name.string] = string(l)
		if l.Kind() == '"' {
			out[name.string] = l.String()
		}
	})
	return out
}
