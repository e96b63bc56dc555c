// Package clean makes strings that came from elsewhere safe to show in a terminal, a log or a menu.
//
// A hostile peer, relay or controller may put escape sequences, line breaks or direction marks into any name. Every string from
// the network passes Line (or Text, where line breaks are wanted) before a person sees it.
package clean

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxMarks is how many marks one character may bear: what people write bears fewer, and a heap of them covers the lines above and below.
const maxMarks = 4

// Line returns s as one harmless line of at most limit runes: control characters, escape sequences' introducers, direction and
// other invisible marks, combining ones that have nothing of s to stand on or are too many, and broken UTF-8 become U+FFFD; a longer text ends in "…".
func Line(s string, limit int) string { return scrub(s, limit, false) }

// Text is Line for texts of several lines: line feeds stay, tabs become a space.
func Text(s string, limit int) string { return scrub(s, limit, true) }

func scrub(s string, limit int, lines bool) string {
	if limit <= 0 {
		return ""
	}
	look := reading{lines: lines}
	if utf8.RuneCountInString(s) <= limit && !strings.ContainsFunc(s, look.harmful) {
		return s
	}
	look = reading{lines: lines}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == limit-1 && utf8.RuneCountInString(s) > limit {
			b.WriteRune('…')
			break
		}
		switch {
		case lines && r == '\t':
			r = ' '
		case look.harmful(r):
			r = utf8.RuneError
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// reading is what was read of a text, of which each rune is looked at once, in their order.
type reading struct {
	lines  bool // line feeds stay
	stands bool // there is something on this line that a mark can stand on
	marks  int  // on the character before
}

func (t *reading) harmful(r rune) bool {
	if r >= utf8.RuneSelf && unicode.In(r, unicode.Mn, unicode.Me) {
		t.marks++
		return !t.stands || t.marks > maxMarks || harmful(r, t.lines)
	}
	t.marks, t.stands = 0, r != '\n'
	return harmful(r, t.lines)
}

// JSON returns a document of JSON in which what a terminal would obey stands as an escape: another spelling of the same document. JSON itself
// asks for escapes below U+0020 only, and leaves C1 and the direction marks as they are.
func JSON(doc []byte) []byte {
	if !bytes.ContainsFunc(doc, func(r rune) bool { return harmful(r, true) }) {
		return doc
	}
	var b bytes.Buffer
	for _, r := range string(doc) {
		switch {
		case !harmful(r, true):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

// harmful tells most runes, which are ASCII, without a table: a list of a thousand peers is tens of thousands of them.
func harmful(r rune, lines bool) bool {
	if r < utf8.RuneSelf {
		return (r < ' ' || r == 0x7f) && !(r == '\n' && lines)
	}
	return r == utf8.RuneError || !unicode.IsPrint(r) || unicode.Is(unicode.Variation_Selector, r) || r == '\u2800' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0'
}

// Label makes an RFC 1123 host label of s: lower case letters, digits and inner hyphens, at most 63 of them.
// It returns "" when nothing of s can be kept.
func Label(s string) string {
	if dot := strings.IndexByte(s, '.'); dot > 0 {
		s = s[:dot]
	}
	b := make([]byte, 0, 63)
	for _, c := range []byte(strings.ToLower(s)) {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '-':
			b = append(b, '-')
		}
		if len(b) == 63 {
			break
		}
	}
	return strings.TrimRight(string(b), "-")
}

// IsLabel reports whether s is an RFC 1123 label in the one form that we store: Label(s) == s, and not empty.
func IsLabel(s string) bool { return s != "" && !strings.Contains(s, ".") && Label(s) == s }
