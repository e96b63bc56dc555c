package tui

import (
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/tui/draw"
)

// helpParts is every key, by where it works.
var helpParts = []struct {
	title string
	keys  []hintText
}{
	{"Everywhere", []hintText{{"tab, 1-8", "next screen, or the one of that number"}, {"↑ ↓ j k", "move"}, {"pgup pgdn", "a page"}, {"g G", "first, last"},
		{"mouse", "click rows, heads, and keys as here; wheel"}, {"m", "mouse off, to mark text; on"}, {"?", "these keys"}, {"q ctrl+c", "quit; ctrl+z: stop for a while"}}},
	{"Peers", []hintText{{"/", "filter: words that must occur; !word: must not"}, {"s S", "sort by another column; turn round"}, {"enter", "details of the peer"},
		{"p", "ping it, live"}, {"c C", "copy its address; its name"}, {"x", "use it as exit to the internet, or no more"}, {"e", "policy: may this machine reach it?"}, {"f e", "policy: may this one reach that one?"}, {"esc", "drop the filter; back"}}},
	{"Others", []hintText{{"f", "Health: mend what can be mended from here"}, {"n", "Health: check what this machine's network lets through"}, {"enter", "Networks: show only this one"}, {"u d c", "Networks: switch on, off; copy my address"}, {"x", "Networks: through which machine the internet is reached"},
		{"enter", "Denials: why this packet was dropped"}}},
	{"With a login to a controller", []hintText{{"a s t r x", "Nodes: approve, suspend, tag, rename, remove"}, {"v", "Nodes: approve or revoke what stands behind one"}, {"enter", "Nodes: what the controller knows of one"}, {"n x", "Keys: make one, revoke one"}, {"o O", "Nodes, Keys: sort otherwise; turn round"}, {"R", "Nodes, Keys: ask again"}, {"x", "Policy: turn the question round"}, {"L", "go on with another login"}}},
	{"Signs", []hintText{{"●", "direct"}, {"◐", "through a relay"}, {"○", "online, no traffic"}, {"◇", "a device without an agent"}, {"✗", "closed: no protocol in common"}, {"·", "offline"}}},
}

// helpScreen shows all keys.
type helpScreen struct {
	*world
	scroll scroll
	halves []helpLines // side by side, as they were drawn
	half   int         // how wide one is
}

// helpLines are lines of help, and which keys stand in them.
type helpLines struct{ text, keys []string }

const (
	keysFrom = 2  // the column of the keys
	keysTo   = 14 // and of what they do
)

func (s *helpScreen) view(width, height int) []string {
	if width < paneFrom {
		s.half, s.halves = width, []helpLines{s.keys(width, 0, 1, 2, 3, 4)}
		return s.scroll.part(s.halves[0].text, height)
	}
	s.half = (width - 3) / 2
	s.halves = []helpLines{s.keys(s.half, 0, 2, 4), s.keys(width-s.half-3, 1, 3)}
	return s.scroll.part(draw.Beside(s.halves[0].text, s.half, "   ", s.halves[1].text), height)
}

// keys draws some of the parts.
func (s *helpScreen) keys(width int, parts ...int) (out helpLines) {
	add := func(text, keys string) { out.text, out.keys = append(out.text, text), append(out.keys, keys) }
	for _, i := range parts {
		p := helpParts[i]
		add(s.theme.Accent.Strong().Paint(cells.Cut(p.title, width)), "")
		for _, k := range p.keys {
			key := k.key
			for _, part := range draw.Wrap(k.does, max(width-keysTo, 8)) {
				add(draw.NewLine(width, draw.Style{}).To(keysFrom).Put(s.theme.Text, key).To(keysTo).Put(s.theme.Dim, part).String(), key)
				key = ""
			}
		}
		add("", "")
	}
	return out
}

// at returns the key that is written at a place; "": none is.
func (s *helpScreen) at(x, y int) string {
	y += s.scroll.top
	for _, h := range s.halves {
		if x < s.half && y < len(h.keys) {
			return keyAt(h.keys[y], x-keysFrom)
		}
		x -= s.half + 3
	}
	return ""
}
