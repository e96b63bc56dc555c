package acl

import (
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// text is a string of the document and where it stands.
type text struct {
	string
	pos  Pos
	path string
}

// field is a known member of an object.
type field struct {
	name string
	read func(v *hujson.Value, path string)
}

func (s *source) fail(v *hujson.Value, path, what, hint string) {
	shown := string(s.text[v.StartOffset:min(v.EndOffset, v.StartOffset+4*maxText)])
	if l, ok := v.Value.(hujson.Literal); ok && l.Kind() == '"' {
		shown = l.String()
	}
	s.add(Problem{Pos: s.pos(v.StartOffset), Path: path, Text: shown, What: what, Hint: hint})
}

func (s *source) failText(t text, what, hint string) {
	s.add(Problem{Pos: t.pos, Path: t.path, Text: t.string, What: what, Hint: hint})
}

func (s *source) warnText(t text, what, hint string) {
	s.add(Problem{Pos: t.pos, Warning: true, Path: t.path, Text: t.string, What: what, Hint: hint})
}

// members calls f for each member of an object. A name that stands twice is an error, and its second value is not read.
func (s *source) members(v *hujson.Value, path string, fold bool, f func(name text, v *hujson.Value)) bool {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		s.fail(v, path, "not an object", "write { … }")
		return false
	}
	if len(o.Members) > MaxList {
		s.fail(v, path, fmt.Sprintf("%d members, at most %d are allowed", len(o.Members), MaxList), "")
		return false
	}
	seen := make(map[string]Pos, len(o.Members))
	for i := range o.Members {
		m := &o.Members[i]
		name := text{string: m.Name.Value.(hujson.Literal).String(), pos: s.pos(m.Name.StartOffset), path: path}
		key := name.string
		if fold {
			key = strings.ToLower(key)
		}
		if first, twice := seen[key]; twice {
			s.failText(name, fmt.Sprintf("stands twice, first at %v", first), "put both into one")
			continue
		}
		seen[key] = name.pos
		f(name, &m.Value)
	}
	return true
}

// object reads an object with known fields. Others are errors, but for remarks: editors of Headscale's policies keep theirs under names
// that begin with #, as Headscale lets them.
func (s *source) object(v *hujson.Value, path string, fields ...field) bool {
	return s.members(v, path, true, func(name text, v *hujson.Value) {
		if strings.HasPrefix(name.string, "#") {
			return
		}
		for _, f := range fields {
			if strings.EqualFold(f.name, name.string) {
				f.read(v, join(path, f.name))
				return
			}
		}
		if s.full() {
			s.failText(name, "unknown field", "")
			return
		}
		known := make([]string, len(fields))
		for i, f := range fields {
			known[i] = f.name
		}
		s.failText(name, "unknown field", suggest(name.string, known))
	})
}

// array calls f for each element.
func (s *source) array(v *hujson.Value, path string, f func(v *hujson.Value, path string)) {
	a, ok := v.Value.(*hujson.Array)
	if !ok {
		s.fail(v, path, "not a list", "write [ … ]")
		return
	}
	if len(a.Elements) > MaxList {
		s.fail(v, path, fmt.Sprintf("%d entries, at most %d are allowed", len(a.Elements), MaxList), "")
		return
	}
	for i := range a.Elements {
		f(&a.Elements[i], fmt.Sprintf("%s[%d]", path, i))
	}
}

// str reads a string; ok is false, and a problem noted, if it is none.
func (s *source) str(v *hujson.Value, path string) (t text, ok bool) {
	l, isLiteral := v.Value.(hujson.Literal)
	if !isLiteral || l.Kind() != '"' {
		s.fail(v, path, "not a string", `write "…"`)
		return text{}, false
	}
	return text{l.String(), s.pos(v.StartOffset), path}, true
}

// strs reads a list of strings.
func (s *source) strs(v *hujson.Value, path string) (list []text) {
	s.array(v, path, func(v *hujson.Value, path string) {
		if t, ok := s.str(v, path); ok {
			list = append(list, t)
		}
	})
	return list
}

// oneOrMore reads a string or a list of strings.
func (s *source) oneOrMore(v *hujson.Value, path string) []text {
	if l, ok := v.Value.(hujson.Literal); ok && l.Kind() == '"' {
		t, _ := s.str(v, path)
		return []text{t}
	}
	return s.strs(v, path)
}

// integer reads a whole number from low to high.
func (s *source) integer(v *hujson.Value, path string, low, high int) int {
	l, ok := v.Value.(hujson.Literal)
	if ok && l.Kind() == '0' {
		n := l.Int()
		if fmt.Sprint(n) == string(l) && int64(low) <= n && n <= int64(high) {
			return int(n)
		}
	}
	s.fail(v, path, fmt.Sprintf("not a whole number from %d to %d", low, high), "")
	return 0
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// suggest makes a hint of the known name that looks most like what was written.
func suggest(got string, known []string) string {
	best, at := 3, ""
	for _, k := range known {
		if d := distance(strings.ToLower(got), strings.ToLower(k)); d < best {
			best, at = d, k
		}
	}
	if at != "" {
		return fmt.Sprintf("did you mean %q?", at)
	}
	if len(known) > 0 && len(known) <= 16 {
		return "known are " + strings.Join(known, ", ")
	}
	return ""
}

// distance is the Levenshtein distance; of long names, and of those of very different length, a large number.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 || max(len(a)-len(b), len(b)-len(a)) > 3 {
		return len(a) + len(b) + 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
