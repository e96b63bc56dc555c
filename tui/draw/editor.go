package draw

import (
	"unicode"

	"github.com/cvlan/cvlan/internal/base/cells"
)

// Editor is a line of text that a person types.
type Editor struct {
	text []rune
	at   int // of the cursor, in runes
}

// maxTyped bounds what can be typed, in runes.
const maxTyped = 200

// Set replaces the text.
func (e *Editor) Set(text string) {
	e.text, e.at = nil, 0
	e.Insert(text)
}

// Text returns what is typed.
func (e *Editor) Text() string { return string(e.text) }

// Insert adds text at the cursor; what cannot be printed is left out.
func (e *Editor) Insert(text string) {
	for _, r := range text {
		if len(e.text) == maxTyped {
			return
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			continue
		}
		e.text = append(e.text, 0)
		copy(e.text[e.at+1:], e.text[e.at:])
		e.text[e.at] = r
		e.at++
	}
}

// Key does what a key means to a line of text, and reports whether it means anything.
func (e *Editor) Key(name string) bool {
	switch name {
	case "left", "ctrl+b":
		e.at = max(e.at-1, 0)
	case "right", "ctrl+f":
		e.at = min(e.at+1, len(e.text))
	case "home", "ctrl+a":
		e.at = 0
	case "end", "ctrl+e":
		e.at = len(e.text)
	case "backspace", "ctrl+h":
		e.cut(e.at-1, e.at)
	case "delete", "ctrl+d":
		e.cut(e.at, e.at+1)
	case "ctrl+u":
		e.cut(0, e.at)
	case "ctrl+k":
		e.cut(e.at, len(e.text))
	case "ctrl+w", "alt+backspace":
		e.cut(e.wordStart(), e.at)
	default:
		return false
	}
	return true
}

func (e *Editor) wordStart() int {
	i := e.at
	for i > 0 && e.text[i-1] == ' ' {
		i--
	}
	for i > 0 && e.text[i-1] != ' ' {
		i--
	}
	return i
}

func (e *Editor) cut(from, to int) {
	if from < 0 || to > len(e.text) || from >= to {
		return
	}
	e.text = append(e.text[:from], e.text[to:]...)
	e.at = from
}

// Draw puts the text on a line, with a block for the cursor if it is there.
func (e *Editor) Draw(l *Line, s Style, here bool) {
	if !here {
		l.Put(s, e.Text())
		return
	}
	from := e.from(l.Left())
	head := string(e.text[from:e.at])
	under, rest := " ", ""
	if e.at < len(e.text) {
		under, rest = string(e.text[e.at:e.at+1]), string(e.text[e.at+1:])
	}
	l.Put(s, head)
	l.Raw("\x1b[7m"+under+"\x1b[m", cells.Width(under))
	l.Put(s, rest)
}

// from returns the first rune that is seen of a text that is longer than its room: the cursor always is.
func (e *Editor) from(room int) int {
	from := 0
	for from < e.at && cells.Width(string(e.text[from:e.at])) > room-1 {
		from++
	}
	return from
}

// Point moves the cursor to a cell of the text as it is drawn in a room.
func (e *Editor) Point(x, room int) {
	from := e.from(room)
	at := from
	for at < len(e.text) && cells.Width(string(e.text[from:at+1])) <= x {
		at++
	}
	e.at = at
}
