// Package draw makes the lines that the terminal interface shows: styled text of a known width, columns, and small graphs.
//
// All of it is plain computing: strings in, strings out. Widths are in cells of the terminal; a wide character takes two. What it is
// given has been cleaned: nothing here looks for escape sequences.
package draw

import "strconv"

// Color is one of the terminal's 16.7 million; the zero Color is the terminal's own. The program's renderer lowers it to what the
// terminal can show, to nothing at all with NO_COLOR.
type Color uint32

// RGB returns the colour 0xRRGGBB.
func RGB(rgb uint32) Color { return Color(rgb&0xffffff | 1<<24) }

// Style is how text looks. Colour never carries a meaning that the text does not.
type Style struct {
	Fore, Back  Color
	Bold, Faint bool
	Underline   bool
}

// Over returns s on the ground of another style: what s leaves open is as below.
func (s Style) Over(below Style) Style {
	if s.Fore == 0 {
		s.Fore = below.Fore
	}
	if s.Back == 0 {
		s.Back = below.Back
	}
	s.Bold = s.Bold || below.Bold
	return s
}

// Strong returns s in bold.
func (s Style) Strong() Style {
	s.Bold = true
	return s
}

// Paint returns text in the style.
func (s Style) Paint(text string) string {
	if s == (Style{}) || text == "" {
		return text
	}
	b := append(s.begin(make([]byte, 0, len(text)+32)), text...)
	return string(append(b, "\x1b[m"...))
}

// begin appends the sequence that switches the style on (ECMA-48, SGR).
func (s Style) begin(b []byte) []byte {
	b = append(b, "\x1b["...)
	start := len(b)
	for _, f := range []struct {
		on   bool
		code byte
	}{{s.Bold, '1'}, {s.Faint, '2'}, {s.Underline, '4'}} {
		if f.on {
			b = append(b, f.code, ';')
		}
	}
	b = paint(b, "38;2;", s.Fore)
	b = paint(b, "48;2;", s.Back)
	if len(b) > start {
		b = b[:len(b)-1]
	}
	return append(b, 'm')
}

func paint(b []byte, code string, c Color) []byte {
	if c == 0 {
		return b
	}
	b = append(b, code...)
	for shift := 16; shift >= 0; shift -= 8 {
		b = append(strconv.AppendUint(b, uint64(c>>shift&0xff), 10), ';')
	}
	return b
}
