package acl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// MaxProblems bounds the errors that Parse lists, and likewise the warnings. One more says how many were left out.
const MaxProblems = 1000

const maxText = 80 // runes of a document's text in a Problem

// Pos is a place in a document. Line and Column count from 1, columns in characters. The zero Pos is nowhere.
type Pos struct{ Line, Column int32 }

// String writes "line:column".
func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

func (p Pos) compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Problem is one thing that is wrong, or to be known, about a document.
type Problem struct {
	Pos     Pos
	Warning bool   // the document is accepted all the same
	Path    string // such as acls[3].src[0]
	Text    string // what stands there, shortened and safe to print
	What    string
	Hint    string // what to do; may be empty
	More    int    // so many of this severity were found that are not told; 0: this is one
}

// String writes one line for people: position, severity, place, text, what, hint.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v: ", p.Pos)
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	if p.Text != "" {
		fmt.Fprintf(&b, "%q: ", p.Text)
	}
	b.WriteString(p.What)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems are the problems of one document, in the order of its text. As an error it writes one a line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Failed reports whether one of them is an error.
func (p Problems) Failed() bool {
	return slices.ContainsFunc(p, func(p Problem) bool { return !p.Warning })
}

// collector gathers problems and bounds them, errors and warnings apart: many warnings hide no error.
type collector struct{ errors, warnings bounded }

// bounded are the first problems of one severity, and how many found no place.
type bounded struct {
	list Problems
	more int
}

func (c *collector) add(p Problem) {
	b := &c.errors
	if p.Warning {
		b = &c.warnings
	}
	if len(b.list) == MaxProblems {
		b.more++
		return
	}
	p.Text = clean.Line(p.Text, maxText)
	p.Path = clean.Line(p.Path, maxText)
	b.list = append(b.list, p)
}

// full reports whether further errors are only counted, and need no hints.
func (c *collector) full() bool { return len(c.errors.list) == MaxProblems }

// sorted returns the problems in the order of the text, the counts of those that were left out last.
func (c *collector) sorted() Problems {
	all := slices.Concat(c.errors.list, c.warnings.list)
	slices.SortStableFunc(all, func(a, b Problem) int { return a.Pos.compare(b.Pos) })
	for _, b := range []*bounded{&c.errors, &c.warnings} {
		if b.more == 0 {
			continue
		}
		last, word := all[len(all)-1].Pos, "error"
		warning := b == &c.warnings
		if warning {
			word = "warning"
		}
		if b.more > 1 {
			word += "s"
		}
		all = append(all, Problem{Pos: last, Warning: warning, What: fmt.Sprintf("and %d more %s", b.more, word), More: b.more})
	}
	return all
}
