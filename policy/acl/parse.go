package acl

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// Options is what Parse needs from outside. The zero value knows no directory and no zone but UTC.
type Options struct {
	// Zone finds a time zone by its name; nil knows only UTC.
	Zone func(name string) (*time.Location, error)
	// Groups are names ("group:x") that exist without standing in the document.
	Groups []string
	// Kept says that the document is in force already. What earlier versions took for somebody, and this one refuses because it is nobody,
	// stays nobody, with a warning: an upgrade stops no network.
	Kept bool
}

var errZone = errors.New("no time zones are known")

func (o Options) zone(name string) (*time.Location, error) {
	switch {
	case name == "UTC":
		return time.UTC, nil
	case o.Zone == nil:
		return nil, errZone
	}
	return o.Zone(name)
}

// use is a reference to be resolved when all sections are read.
type use struct {
	text
	kind Kind
}

// parser reads one document.
type parser struct {
	*source
	opt     Options
	doc     *Document
	uses    []use
	denying bool // the rule being read denies, or may
	aliased bool // some selector is an alias whose prefixes are still to be filled in
	spans   int  // prefixes that ranges of addresses came to

	groups  map[string]*Group
	hosts   map[string]Host
	tags    map[string]bool
	posture map[string]*Posture
}

// maxSpans bounds the prefixes that a document's ranges of addresses come to: one range may come to 254.
const maxSpans = 50_000

// Parse reads a document. It returns nil with the problems if one of them is an error, else the document and the warnings.
func Parse(src []byte, opt Options) (*Document, Problems) {
	p := &parser{source: newSource(src), opt: opt, doc: &Document{}}
	if len(src) > MaxSize {
		p.lines = p.lines[:1]
	}
	root, ok := p.parse()
	if ok {
		p.sections(&root)
		p.resolve()
	}
	problems := p.sorted()
	if problems.Failed() {
		return nil, problems
	}
	return p.doc, problems
}

// unsupported are sections of other products. They are kept, and grant nothing.
var unsupported = []string{"ssh", "sshTests", "nodeAttrs", "ipsets", "appConnectors", "derpMap", "disableIPv4", "OneCGNATRoute",
	"randomizeClientPort", "extraDNSRecords", "attrConfig"}

func (p *parser) sections(root *hujson.Value) {
	fields := []field{
		{"groups", p.each(p.group)}, {"tagOwners", p.each(p.tagOwner)}, {"hosts", p.each(p.host)},
		{"postures", p.each(p.readPosture)},
		{"defaultSrcPosture", func(v *hujson.Value, path string) { p.doc.Default = p.postureNames(v, path) }},
		{"acls", p.rules(p.acl)}, {"grants", p.rules(p.grant)},
		{"autoApprovers", p.approvers}, {"tests", p.tests},
		{"description", func(v *hujson.Value, path string) { p.str(v, path) }},
	}
	for _, name := range unsupported {
		fields = append(fields, field{name, func(v *hujson.Value, path string) {
			p.add(Problem{Pos: p.pos(v.StartOffset), Warning: true, Path: path, What: "this section does not exist here: kept, and grants nothing"})
		}})
	}
	if p.object(root, "", fields...) {
		slices.SortStableFunc(p.doc.Rules, func(a, b Rule) int { return strings.Compare(a.Path[:4], b.Path[:4]) })
	}
}

// each makes a reader of a section whose members have names of their own.
func (p *parser) each(f func(name text, v *hujson.Value)) func(*hujson.Value, string) {
	return func(v *hujson.Value, path string) { p.members(v, path, false, f) }
}

// named checks the name of a member.
func (p *parser) named(name text, prefix string) bool {
	rest, ok := strings.CutPrefix(name.string, prefix)
	switch {
	case !ok:
		p.failText(name, "does not begin with "+prefix, "write "+prefix+name.string)
	case rest == "" || len(rest) > maxName || strings.ContainsAny(rest, " \t\r\n,*"):
		p.failText(name, "not a name", "a name has no spaces, commas and stars")
	default:
		return true
	}
	return false
}

func (p *parser) group(name text, v *hujson.Value) {
	if !p.named(name, "group:") {
		return
	}
	g := Group{Name: name.string, Pos: name.pos}
	for _, t := range p.strs(v, join(name.path, name.string)) {
		switch {
		case strings.HasPrefix(t.string, "group:"):
			g.Groups = append(g.Groups, t.string)
			p.uses = append(p.uses, use{t, GroupOf})
		case strings.HasPrefix(t.string, "user:") && !strings.Contains(t.string, "*"):
			g.Users = append(g.Users, strings.ToLower(t.string[len("user:"):]))
		case strings.Contains(t.string, "@") && !strings.ContainsAny(t.string, ": *"):
			g.Users = append(g.Users, strings.ToLower(t.string))
		case strings.Contains(t.string, "*"):
			p.failText(t, "no user has this name", "a group names its users; everybody with a domain is user:*@example.com, in a rule")
		default:
			p.failText(t, "neither a user nor a group", "users have an @: alice@example.com, alice@")
		}
	}
	p.doc.Groups = append(p.doc.Groups, g)
}

func (p *parser) tagOwner(name text, v *hujson.Value) {
	if !p.named(name, "tag:") {
		return
	}
	o := TagOwner{Tag: name.string, Pos: name.pos}
	for _, t := range p.strs(v, join(name.path, name.string)) {
		o.Owners = append(o.Owners, p.selector(t, inOwners))
	}
	p.doc.TagOwners = append(p.doc.TagOwners, o)
}

func (p *parser) host(name text, v *hujson.Value) {
	t, ok := p.str(v, join(name.path, name.string))
	if !ok || !p.named(name, "") {
		return
	}
	if strings.ContainsAny(name.string, ":@/") {
		p.failText(name, "not a name", "a name of a host has none of : @ /")
		return
	}
	list, problem := addresses(t.string)
	if problem == "" && len(list) != 1 {
		problem = "neither an address nor a prefix"
	}
	if problem != "" {
		p.failText(t, problem, "")
		return
	}
	p.doc.Hosts = append(p.doc.Hosts, Host{name.string, list[0], name.pos})
}

func (p *parser) approvers(v *hujson.Value, path string) {
	owners := func(v *hujson.Value, path string) (list []Selector) {
		for _, t := range p.strs(v, path) {
			list = append(list, p.selector(t, inOwners))
		}
		return list
	}
	p.object(v, path,
		field{"routes", p.each(func(name text, v *hujson.Value) {
			list, problem := addresses(name.string)
			if problem == "" && len(list) != 1 {
				problem = "not a prefix"
			}
			if problem != "" {
				p.failText(name, problem, "")
				return
			}
			a := RouteApprover{list[0], owners(v, join(name.path, name.string)), name.pos}
			p.doc.Routes = append(p.doc.Routes, a)
		})},
		field{"exitNode", func(v *hujson.Value, path string) { p.doc.ExitNode = owners(v, path) }},
		field{"services", func(v *hujson.Value, path string) {
			p.add(Problem{Pos: p.pos(v.StartOffset), Warning: true, Path: path, What: "services do not exist here: kept, and approves nothing"})
		}},
	)
}
