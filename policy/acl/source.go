package acl

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// Bounds of a document.
const (
	MaxSize  = 8 << 20 // bytes
	MaxDepth = 64      // arrays and objects within each other
	MaxRules = 100_000
	MaxList  = 100_000 // entries of one list or section
	maxName  = 255     // bytes of a name of any kind
)

// source is the text and what is found wrong with it.
type source struct {
	text  []byte
	lines []int // offsets at which lines begin

	// The last answer of pos, from which it goes on: a document may be a single line of megabytes.
	lastOffset int
	last       Pos
	collector
}

func newSource(text []byte) *source {
	s := &source{text: text, lines: []int{0}}
	for i, c := range text {
		if c == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

func (s *source) pos(offset int) Pos {
	line := sort.SearchInts(s.lines, offset+1) - 1
	from, column := s.lines[line], int32(1)
	if s.last.Line == int32(line+1) && s.lastOffset <= offset {
		from, column = s.lastOffset, s.last.Column
	}
	s.lastOffset = offset
	s.last = Pos{int32(line + 1), column + int32(utf8.RuneCount(s.text[from:offset]))}
	return s.last
}

// parse turns the text into a tree, or reports why it is none.
func (s *source) parse() (hujson.Value, bool) {
	if len(s.text) > MaxSize {
		s.add(Problem{Pos: Pos{1, 1}, What: fmt.Sprintf("the document has %d bytes, at most %d are allowed", len(s.text), MaxSize)})
		return hujson.Value{}, false
	}
	if at := invalidUTF8(s.text); at >= 0 {
		s.add(Problem{Pos: s.pos(at), What: "not valid UTF-8", Hint: "save the file as UTF-8"})
		return hujson.Value{}, false
	}
	if at := tooDeep(s.text); at >= 0 {
		s.add(Problem{Pos: s.pos(at), What: fmt.Sprintf("nested deeper than %d levels", MaxDepth)})
		return hujson.Value{}, false
	}
	v, err := hujson.Parse(s.text)
	if err != nil {
		s.add(s.syntax(err))
		return hujson.Value{}, false
	}
	return v, true
}

var hujsonPlace = regexp.MustCompile(`^hujson: line (\d+), column (\d+): `)

// syntax turns an error of the parser, which counts columns in bytes, into a problem.
func (s *source) syntax(err error) Problem {
	p := Problem{Pos: Pos{1, 1}, What: err.Error(), Hint: "look for a missing comma, quote or bracket just before"}
	m := hujsonPlace.FindStringSubmatch(p.What)
	if m == nil {
		return p
	}
	p.What = p.What[len(m[0]):]
	var line, column int
	fmt.Sscan(m[1], &line)
	fmt.Sscan(m[2], &column)
	if line < 1 || line > len(s.lines) || column < 1 {
		return p
	}
	start := s.lines[line-1]
	at := min(start+column-1, len(s.text))
	p.Pos = s.pos(at)
	end := len(s.text)
	if line < len(s.lines) {
		end = s.lines[line] - 1
	}
	p.Text = strings.TrimSpace(string(s.text[start:end]))
	return p
}

func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// tooDeep returns where the text goes deeper than MaxDepth, -1 if nowhere. It runs before the parser, which calls itself a level.
func tooDeep(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			i = skipString(text, i)
		case c == '/':
			i = skipComment(text, i)
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

// skipString returns the offset of the quote that ends the string which begins at i.
func skipString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// skipComment returns the offset of the last byte of the comment that begins at i, or i.
func skipComment(text []byte, i int) int {
	if i+1 >= len(text) {
		return i
	}
	var end []byte
	switch text[i+1] {
	case '/':
		end = []byte("\n")
	case '*':
		end = []byte("*/")
	default:
		return i
	}
	n := bytes.Index(text[i+2:], end)
	if n < 0 {
		return len(text)
	}
	return i + 2 + n + len(end) - 1
}
