package tui

import "github.com/cvlan/cvlan/tui/draw"

// helpParts is every key, by where it works.
var helpParts = []struct {
	title string
	keys  []hintText
}{
	{"Everywhere", []hintText{{"tab, 1-8", "next screen, or the one of that number"}, {"↑ ↓ j k", "move"}, {"pgup pgdn", "a page"}, {"g G", "first, last"},
		{"mouse", "click, wheel; a click on a head sorts"}, {"m", "mouse off, to mark text; on"}, {"?", "these keys"}, {"q ctrl+c", "quit"}}},
	{"Peers", []hintText{{"/", "filter: words that must occur; !word: must not"}, {"s S", "sort by another column; turn round"}, {"enter", "details of the peer"},
		{"p", "ping it, live"}, {"c C", "copy its address; its name"}, {"e", "policy: may this machine reach it?"}, {"f e", "policy: may this one reach that one?"}, {"esc", "drop the filter; back"}}},
	{"Others", []hintText{{"f", "Health: mend what can be mended from here"}, {"n", "Health: check what this machine's network lets through"}, {"enter", "Networks: show only this one"}, {"u d c", "Networks: switch on, off; copy my address"},
		{"enter", "Denials: why this packet was dropped"}}},
	{"With a login to a controller", []hintText{{"a s t r x", "Nodes: approve, suspend, tag, rename, remove"}, {"enter", "Nodes: what the controller knows of one"}, {"n x", "Keys: make one, revoke one"}, {"R", "Nodes, Keys: ask again"}, {"x", "Policy: turn the question round"}, {"L", "go on with another login"}}},
	{"Signs", []hintText{{"●", "direct"}, {"◐", "through a relay"}, {"○", "online, no traffic"}, {"◇", "a device without an agent"}, {"✗", "closed: no protocol in common"}, {"·", "offline"}}},
}

// helpScreen shows all keys.
type helpScreen struct {
	*world
	scroll scroll
}

func (s *helpScreen) view(width, height int) []string {
	if width < paneFrom {
		return s.scroll.part(s.keys(width, 0, 1, 2, 3, 4), height)
	}
	half := (width - 3) / 2
	return s.scroll.part(draw.Beside(s.keys(half, 0, 2, 4), half, "   ", s.keys(width-half-3, 1, 3)), height)
}

// keys draws some of the parts.
func (s *helpScreen) keys(width int, parts ...int) (lines []string) {
	for _, i := range parts {
		p := helpParts[i]
		lines = append(lines, s.theme.Accent.Strong().Paint(draw.Cut(p.title, width)))
		for _, k := range p.keys {
			for i, part := range draw.Wrap(k.does, max(width-14, 8)) {
				l := draw.NewLine(width, draw.Style{}).To(2)
				if i == 0 {
					l.Put(s.theme.Text, k.key)
				}
				lines = append(lines, l.To(14).Put(s.theme.Dim, part).String())
			}
		}
		lines = append(lines, "")
	}
	return lines
}
