package acl

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tailscale/hujson"
)

// Posture is a named list of conditions on what a node reports about itself. All of them must hold.
type Posture struct {
	Name       string // with "posture:"
	Conditions []Condition
	Pos        Pos
}

// The attributes that nodes report. What a node says of itself is only as true as its machine is.
const (
	AttrOS            = "node:os"            // linux, windows, macos, freebsd, …
	AttrOSVersion     = "node:osVersion"     // of Linux the kernel's release
	AttrDistro        = "node:distro"        // of Linux: debian, fedora, …
	AttrDistroVersion = "node:distroVersion" // of Linux
	AttrArch          = "node:arch"          // amd64, arm64, …
	AttrVersion       = "node:version"       // of the daemon
)

// reported are all of them.
var reported = []string{AttrOS, AttrOSVersion, AttrDistro, AttrDistroVersion, AttrArch, AttrVersion}

// vain reports whether no node can satisfy the condition.
func (c *Condition) vain() bool { return c.Op != NotSet && !slices.Contains(reported, c.Attr) }

// vain reports whether no node can satisfy one of the postures.
func (p *parser) vain(postures []string) bool {
	return !slices.ContainsFunc(postures, func(name string) bool {
		x := p.posture[name]
		return x == nil || !slices.ContainsFunc(x.Conditions, func(c Condition) bool { return c.vain() })
	})
}

// Condition compares one attribute. An attribute that a node does not report satisfies only NotSet.
type Condition struct {
	Attr   string // such as "node:os"
	Op     Op
	Values []string // one, for In and NotIn any number, for Set and NotSet none
	Text   string
}

// Op is the comparison of a Condition.
type Op uint8

// The comparisons. Less and its like compare as versions do: runs of digits by value, the rest by text.
const (
	Equal Op = iota
	NotEqual
	Less
	AtMost
	Greater
	AtLeast
	In
	NotIn
	Set
	NotSet
)

var operators = map[string]Op{"==": Equal, "!=": NotEqual, "<": Less, "<=": AtMost, ">": Greater, ">=": AtLeast,
	"IN": In, "NOT IN": NotIn, "IS SET": Set, "NOT SET": NotSet}

// Holds reports whether the attributes satisfy all conditions.
func (p *Posture) Holds(attrs map[string]string) bool {
	return !slices.ContainsFunc(p.Conditions, func(c Condition) bool { return !c.Holds(attrs) })
}

// Holds reports whether the attributes satisfy the condition.
func (c *Condition) Holds(attrs map[string]string) bool {
	v, set := attrs[c.Attr]
	if !set {
		return c.Op == NotSet
	}
	switch c.Op {
	case Set:
		return true
	case NotSet:
		return false
	case In, Equal:
		return slices.Contains(c.Values, v)
	case NotIn, NotEqual:
		return !slices.Contains(c.Values, v)
	}
	d := compareVersions(v, c.Values[0])
	switch c.Op {
	case Less:
		return d < 0
	case AtMost:
		return d <= 0
	case Greater:
		return d > 0
	}
	return d >= 0
}

// compareVersions compares as people order versions: 1.9 < 1.10, 10.0.22631 > 10.0.9.
func compareVersions(a, b string) int {
	for a != "" && b != "" {
		m, n := run(a), run(b)
		x, y := a[:m], b[:n]
		a, b = a[m:], b[n:]
		if isDigit(x[0]) && isDigit(y[0]) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return len(x) - len(y)
			}
		}
		if d := strings.Compare(x, y); d != 0 {
			return d
		}
	}
	return len(a) - len(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// run is the length of the digits, or of what is none, with which s begins.
func run(s string) int {
	n := 1
	for n < len(s) && isDigit(s[n]) == isDigit(s[0]) {
		n++
	}
	return n
}

const maxConditions = 64

// attributeForm is a condition that is an attribute alone, which must be true.
var attributeForm = regexp.MustCompile(`^[a-zA-Z]+:[a-zA-Z0-9_]+$`)

var conditionForm = regexp.MustCompile(`^\s*([a-zA-Z]+:[a-zA-Z0-9_]+)\s*(==|!=|<=|>=|<|>|NOT IN|NOT SET|IS SET|IN)\s*(.*?)\s*$`)

// readPosture reads one entry of "postures".
func (p *parser) readPosture(name text, v *hujson.Value) {
	if !p.named(name, "posture:") {
		return
	}
	out := Posture{Name: name.string, Pos: name.pos}
	for _, t := range p.strs(v, join(name.path, name.string)) {
		c, problem := condition(t.string)
		if problem == "" && len(out.Conditions) == maxConditions {
			problem = "more than " + strconv.Itoa(maxConditions) + " conditions"
		}
		if problem != "" {
			p.failText(t, problem, `such as "node:os == 'linux'", "node:version >= '1.4'", "node:os IN ['linux', 'windows']", "node:arch IS SET"`)
			continue
		}
		if c.vain() {
			p.warnText(t, "no node reports "+c.Attr+", so that none satisfies this posture", "nodes report "+strings.Join(reported, ", "))
		}
		out.Conditions = append(out.Conditions, c)
	}
	p.doc.Postures = append(p.doc.Postures, out)
}

func condition(s string) (c Condition, problem string) {
	if a := strings.TrimSpace(s); attributeForm.MatchString(a) {
		return Condition{Attr: a, Op: Equal, Values: []string{"true"}, Text: s}, ""
	}
	m := conditionForm.FindStringSubmatch(s)
	if m == nil {
		return c, "not a condition"
	}
	c = Condition{Attr: m[1], Op: operators[m[2]], Text: s}
	rest := m[3]
	switch c.Op {
	case Set, NotSet:
		if rest != "" {
			return c, "nothing may follow"
		}
		return c, ""
	case In, NotIn:
		if !strings.HasPrefix(rest, "[") || !strings.HasSuffix(rest, "]") {
			return c, "no list of values"
		}
		for v := range strings.SplitSeq(rest[1:len(rest)-1], ",") {
			value, ok := literal(strings.TrimSpace(v))
			if !ok {
				return c, "not a value"
			}
			c.Values = append(c.Values, value)
		}
		return c, ""
	}
	value, ok := literal(rest)
	if !ok {
		return c, "not a value"
	}
	c.Values = []string{value}
	return c, ""
}

// literal reads 'text', a number, true or false.
func literal(s string) (string, bool) {
	if n := len(s); n >= 2 && s[0] == '\'' && s[n-1] == '\'' {
		return s[1 : n-1], !strings.Contains(s[1:n-1], "'")
	}
	if s == "true" || s == "false" {
		return s, true
	}
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' }) {
		return "", false
	}
	return s, true
}
