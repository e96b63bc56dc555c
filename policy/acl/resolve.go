package acl

import (
	"net/netip"
	"slices"
	"strings"
)

// resolve checks references between sections and fills in what they stand for.
func (p *parser) resolve() {
	p.groups = make(map[string]*Group, len(p.doc.Groups))
	for i := range p.doc.Groups {
		p.groups[p.doc.Groups[i].Name] = &p.doc.Groups[i]
	}
	p.tags = make(map[string]bool, len(p.doc.TagOwners))
	for _, t := range p.doc.TagOwners {
		p.tags[t.Tag] = true
	}
	p.hosts = make(map[string]Host, len(p.doc.Hosts))
	for _, h := range p.doc.Hosts {
		p.hosts[h.Name] = h
	}
	p.posture = make(map[string]*Posture, len(p.doc.Postures))
	for i := range p.doc.Postures {
		p.posture[p.doc.Postures[i].Name] = &p.doc.Postures[i]
	}
	p.references()
	p.denials()
	p.closeGroups()
	if p.aliased {
		for i := range p.doc.Rules {
			r := &p.doc.Rules[i]
			for j := range r.Src {
				p.fill(&r.Src[j])
			}
			for j := range r.Dst {
				p.fill(&r.Dst[j].Selector)
			}
		}
		for i := range p.doc.Tests {
			t := &p.doc.Tests[i]
			p.fill(&t.Src)
			for j := range t.Accept {
				p.fill(&t.Accept[j].Selector)
			}
			for j := range t.Deny {
				p.fill(&t.Deny[j].Selector)
			}
		}
	}
}

func (p *parser) fill(s *Selector) {
	if s.Kind == Address && s.Prefixes == nil {
		s.Prefixes = []netip.Prefix{p.hosts[s.Name].Prefix}
	}
}

const maxSuggestions = 100 // names that are compared for a hint

func (p *parser) references() {
	known := make(map[string]bool, len(p.opt.Groups))
	for _, g := range p.opt.Groups {
		known[g] = true
	}
	for _, u := range p.uses {
		switch u.kind {
		case GroupOf:
			if p.groups[u.string] == nil && !known[u.string] {
				p.failText(u.text, "unknown group", p.similar(u.string, `add it to "groups"`))
			}
		case Tag:
			if !p.tags[u.string] {
				p.failText(u.text, "unknown tag", p.similar(u.string, `say in "tagOwners" who may give it`))
			}
		case Address:
			if _, ok := p.hosts[u.string]; !ok {
				p.failText(u.text, "neither a user, group, tag, address nor a name of \"hosts\"", p.similar(u.string, "users have an @: alice@example.com, alice@"))
			}
		case usesPosture:
			if p.posture[u.string] == nil {
				p.failText(u.text, "unknown posture", p.similar(u.string, `add it to "postures"`))
			}
		}
	}
}

// denials refuses rules that deny nobody because nobody satisfies their postures: their authors mean to close something.
func (p *parser) denials() {
	for i := range p.doc.Rules {
		r := &p.doc.Rules[i]
		if r.Deny && len(r.Postures) > 0 && p.vain(r.Postures) {
			p.nobody(text{strings.Join(r.Postures, ", "), r.Pos, r.Path + ".posture"}, "no node satisfies it, so that the rule denies nothing", "nodes report "+strings.Join(reported, ", "))
		}
	}
}

// similar suggests a name of the same kind that looks like what was written, else says what else could be done.
func (p *parser) similar(got, otherwise string) string {
	if p.full() {
		return ""
	}
	var names []string
	for _, g := range p.doc.Groups {
		names = append(names, g.Name)
	}
	for _, t := range p.doc.TagOwners {
		names = append(names, t.Tag)
	}
	for _, h := range p.doc.Hosts {
		names = append(names, h.Name)
	}
	for _, x := range p.doc.Postures {
		names = append(names, x.Name)
	}
	names = names[:min(len(names), maxSuggestions)]
	if s := suggest(got, names); strings.HasPrefix(s, "did you") {
		return s
	}
	return otherwise
}

// closeGroups computes the members of each group, and reports cycles.
func (p *parser) closeGroups() {
	const (
		open = 1
		done = 2
	)
	state := make(map[string]int, len(p.groups))
	budget := MaxGroupMembers
	var visit func(g *Group, depth int)
	visit = func(g *Group, depth int) {
		state[g.Name] = open
		g.Members = slices.Clone(g.Users)
		for _, name := range g.Groups {
			inner := p.groups[name]
			switch {
			case inner == nil: // unknown, or of the directory
			case state[name] == open || depth > MaxDepth:
				what := "the group contains itself through " + name
				if state[name] != open {
					what = "groups are nested too deep"
				}
				p.add(Problem{Pos: g.Pos, Path: "groups", Text: g.Name, What: what, Hint: "break the circle"})
			default:
				if state[name] != done {
					visit(inner, depth+1)
				}
				g.Members = append(g.Members, inner.Members...)
			}
		}
		slices.Sort(g.Members)
		g.Members = slices.Compact(g.Members)
		if budget -= len(g.Members); budget < 0 {
			p.add(Problem{Pos: g.Pos, Path: "groups", Text: g.Name, What: "the groups of this document have too many members altogether"})
			g.Members = nil
		}
		state[g.Name] = done
	}
	for i := range p.doc.Groups {
		if g := &p.doc.Groups[i]; state[g.Name] == 0 && budget >= 0 {
			visit(g, 0)
		}
	}
}

// MaxGroupMembers bounds the members of all groups together, counted again in every group that contains them.
const MaxGroupMembers = 5_000_000
