package tui

import (
	"fmt"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// secret is a join key that was just made. It fills the terminal, is shown this once, and is forgotten when the person goes on.
type secret struct {
	key    string // as it is: cut or cleaned it would be worthless, and it has no blanks or control characters
	about  string
	qr     []string // nil: too long for one, or none is wanted
	coded  bool     // the code is shown in the text's place
	copied bool
	foot   int // the line of the keys, where it was drawn
}

func newSecret(c *Config, w *world, k admin.CreatedJoinKey) *secret {
	s := &secret{key: strings.Join(strings.FieldsFunc(k.Key, func(r rune) bool { return r <= ' ' || r > '~' }), "")}
	s.about = cleanName(k.NetworkName) + ", ends " + words.Until(w.now, k.Expires)
	if len(k.Unknown) > 0 {
		s.about += "; the policy does not know " + cleanNames(k.Unknown)
	}
	if c.QR != nil {
		s.qr, _ = c.QR(s.key)
	}
	return s
}

func (s *secret) view(t *draw.Theme, width, height int) []string {
	foot := putButtons(t, draw.NewLine(width, draw.Style{}), s.buttons())
	body := s.body(t, width, height)
	s.foot = len(body)
	return append(body, foot.String())
}

// body draws what stands above the keys.
func (s *secret) body(t *draw.Theme, width, height int) []string {
	room := max(width-4, 1)
	if s.coded {
		if len(s.qr)+1 > height || cells.Width(firstOf(s.qr)) > width {
			text := fmt.Sprintf("The code takes %d×%d, and the terminal has %d×%d: make it larger, or its letters smaller", cells.Width(firstOf(s.qr)), len(s.qr)+1, width, height)
			return append(append([]string{""}, hanging(t.Fair, "  ", text, width)...), "")
		}
		return centred(s.qr, width, height-1)
	}
	in := "  "
	if width < 20 {
		in, room = "", width
	}
	lines := []string{"", in + t.Accent.Strong().Paint(cells.Cut("New join key", room)), in + t.Dim.Paint(cells.Cut(s.about, room)), ""}
	for key := s.key; key != ""; {
		n := min(room, len(key))
		lines = append(lines, in+key[:n])
		key = key[n:]
	}
	lines = append(lines, "")
	for _, l := range paragraph(t.Dim, "It is shown this once. Whoever has it can join. On the machine that joins: sudo cvlan up --key-file FILE, with the key in FILE.", room) {
		lines = append(lines, in+l)
	}
	if s.copied {
		lines = append(lines, "", in+t.Good.Paint(cells.Cut("Copied", room)))
	}
	return append(lines, "")
}

func firstOf(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

func (s *secret) buttons() []button {
	h := []hintText{{"c", "copy"}, {"esc", "done"}}
	switch {
	case s.qr == nil:
	case s.coded:
		h = append(h, hintText{"r", "as text"})
	default:
		h = append(h, hintText{"r", "as QR code"})
	}
	return buttons(2, h...)
}

// at returns the key that is written at a place; "": none is.
func (s *secret) at(x, y int) string {
	if y != s.foot {
		return ""
	}
	return pressed(s.buttons(), x)
}
