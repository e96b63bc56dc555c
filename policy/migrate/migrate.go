// Package migrate turns the access rules of other products into policy documents, and says what does not carry over.
//
// Documents of Tailscale are policy documents as they are: policy/acl reads them and warns. So are those of Headscale, but for users
// without a domain. NetBird keeps its rules as objects behind an API; Netbird reads what that API returns. Its groups are sets of
// machines and become tags, which somebody has to give to the nodes. Whatever cannot be said exactly is left out and noted: a rule with
// posture checks, which live elsewhere, a rule about resources, the resources of a group, a rule that is switched off. Where that leaves
// open what the original denies, the note says so.
package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/policy/acl"
)

// Note says what of the original is missing in the document, and why.
type Note struct {
	Where string // the policy and rule by name
	What  string
	Opens bool // what is missing denied something
}

func (n Note) String() string {
	if n.Opens {
		return n.Where + ": " + n.What + "; it denied something, which may pass now"
	}
	return n.Where + ": " + n.What
}

type (
	netbird struct {
		Policies []netbirdPolicy `json:"policies"`
	}
	netbirdPolicy struct {
		Name    string        `json:"name"`
		Enabled bool          `json:"enabled"`
		Checks  []any         `json:"source_posture_checks"`
		Rules   []netbirdRule `json:"rules"`
	}
	netbirdRule struct {
		Name                string         `json:"name"`
		Description         string         `json:"description"`
		Enabled             bool           `json:"enabled"`
		Action              string         `json:"action"`
		Bidirectional       bool           `json:"bidirectional"`
		Protocol            string         `json:"protocol"`
		Ports               []string       `json:"ports"`
		Ranges              []netbirdRange `json:"port_ranges"`
		Sources             []netbirdGroup `json:"sources"`
		Destinations        []netbirdGroup `json:"destinations"`
		SourceResource      any            `json:"sourceResource"`
		DestinationResource any            `json:"destinationResource"`
	}
	netbirdRange struct {
		Start int `json:"start"`
		End   int `json:"end"`
	}
	netbirdGroup struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		Resources int    `json:"resources_count"` // addresses behind routers, beside its machines
	}
)

// Netbird reads the answer of NetBird's GET /api/policies, or an object that holds it as "policies".
func Netbird(src []byte) (document []byte, notes []Note, err error) {
	if len(src) > acl.MaxSize {
		return nil, nil, fmt.Errorf("%d bytes, at most %d are allowed", len(src), acl.MaxSize)
	}
	var in netbird
	if err := json.Unmarshal(src, &in.Policies); err != nil {
		in.Policies = nil
		if err := json.Unmarshal(src, &in); err != nil {
			return nil, nil, fmt.Errorf("read NetBird's policies: %w; save the answer of GET /api/policies", err)
		}
	}
	if in.Policies == nil {
		return nil, nil, errors.New("no policies in there; save the answer of GET /api/policies")
	}
	m := &migration{tags: map[string]string{}, taken: map[string]bool{}}
	for _, p := range in.Policies {
		for _, r := range p.Rules {
			m.rule(&p, &r)
		}
	}
	document, err = acl.Format(m.document())
	return document, m.notes, err
}

// migration collects a document.
type migration struct {
	tags  map[string]string // name of a group -> tag
	taken map[string]bool
	order []string // groups as they came
	rules []string
	notes []Note
}

func (m *migration) rule(p *netbirdPolicy, r *netbirdRule) {
	where := clean.Line(strconv.Quote(p.Name)+", rule "+strconv.Quote(r.Name), 200)
	leave := func(what string) { m.notes = append(m.notes, Note{where, what, r.Action != "accept"}) }
	switch {
	case !p.Enabled || !r.Enabled:
		m.notes = append(m.notes, Note{Where: where, What: "is switched off: left out"})
		return
	case len(p.Checks) > 0:
		leave(`has posture checks: left out; write it with "posture"`)
		return
	case r.SourceResource != nil || r.DestinationResource != nil:
		leave("is about a resource: left out; name its addresses in \"hosts\"")
		return
	case len(r.Sources) == 0 || len(r.Destinations) == 0:
		leave("has no sources or no destinations: left out")
		return
	}
	action, ok := map[string]string{"accept": "accept", "drop": "deny"}[r.Action]
	if !ok {
		leave("has the action " + clean.Line(strconv.Quote(r.Action), 80) + ", which does not exist here: left out")
		return
	}
	proto, ok := map[string]string{"all": "*", "tcp": "tcp", "udp": "udp", "icmp": "icmp"}[r.Protocol]
	if !ok {
		leave("has the protocol " + clean.Line(strconv.Quote(r.Protocol), 80) + ", which does not exist here: left out")
		return
	}
	ports, problem := portsOf(r)
	if problem != "" {
		leave(problem)
		return
	}
	src, dst := m.selectors(r.Sources), m.selectors(r.Destinations)
	description := r.Description
	if description == "" {
		description = p.Name
	}
	m.write(action, proto, ports, src, dst, description)
	if r.Bidirectional && !slices.Equal(src, dst) {
		m.write(action, proto, ports, dst, src, description)
	}
	for _, g := range slices.Concat(r.Sources, r.Destinations) {
		if g.Resources > 0 && g.Name != "All" { // "*" means them too
			leave(clean.Line(fmt.Sprintf("%s has resources among its members, and a tag means machines only: write a rule about their addresses", strconv.Quote(g.Name)), 200))
		}
	}
}

// portsOf writes a rule's ports as documents do.
func portsOf(r *netbirdRule) (ports, problem string) {
	list := slices.Clone(r.Ports)
	for _, x := range r.Ranges {
		list = append(list, fmt.Sprintf("%d-%d", x.Start, x.End))
	}
	switch {
	case len(list) == 0:
		return "*", ""
	case r.Protocol != "tcp" && r.Protocol != "udp":
		return "", "has ports of a protocol without ports: left out"
	}
	for _, x := range list {
		from, to, ranged := strings.Cut(x, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if err == nil && ranged {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || last < first {
			return "", "has ports that are no numbers or ranges of them: left out"
		}
	}
	return strings.Join(list, ","), ""
}

func (m *migration) write(action, proto, ports string, src, dst []string, description string) {
	targets := make([]string, len(dst))
	for i, d := range dst {
		targets[i] = d + ":" + ports
	}
	m.rules = append(m.rules, fmt.Sprintf(`{"action": %s, "src": %s, "dst": %s, "proto": %s, "description": %s}`,
		quote(action), quote(src), quote(targets), quote(proto), quote(description)))
}

// quote writes a value as JSON.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // strings and lists of them always can be written
		return `""`
	}
	return string(b)
}

// selectors turns groups into tags. NetBird's group of all peers has a fixed name.
func (m *migration) selectors(groups []netbirdGroup) (out []string) {
	for _, g := range groups {
		if g.Name == "All" {
			out = append(out, "*")
			continue
		}
		key := g.Name
		if key == "" {
			key = g.ID
		}
		if _, known := m.tags[key]; !known {
			m.tags[key] = m.tag(key)
			m.order = append(m.order, key)
		}
		out = append(out, m.tags[key])
	}
	return out
}

// runs of dashes stand where names had spaces and signs.
var runs = regexp.MustCompile(`--+`)

// tag makes a name for a group: letters, digits and single dashes, each only once.
func (m *migration) tag(group string) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' {
			return unicode.ToLower(r)
		}
		return '-'
	}, group)
	name = "tag:" + strings.Trim(name[:min(len(name), 100)], "-")
	name = runs.ReplaceAllString(strings.ToValidUTF8(name, ""), "-")
	if name == "tag:" {
		name = "tag:group"
	}
	free := name
	for i := 2; m.taken[free]; i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	m.taken[free] = true
	return free
}

func (m *migration) document() []byte {
	var b strings.Builder
	b.WriteString("// From NetBird. Its groups of machines are tags here: give them to the nodes.\n{\n\t\"tagOwners\": {\n")
	for _, g := range m.order {
		fmt.Fprintf(&b, "\t\t%s: [\"autogroup:admin\"], // %s\n", quote(m.tags[g]), clean.Line(g, 80))
	}
	b.WriteString("\t},\n\t\"acls\": [\n")
	for _, r := range m.rules {
		b.WriteString("\t\t" + r + ",\n")
	}
	b.WriteString("\t],\n}\n")
	return []byte(b.String())
}
