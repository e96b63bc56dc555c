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
	{"Others", []hintText{{"f", "Health: mend what can be mended from here"}, {"n", "Health: check what this machine's network lets through"}, {"enter", "Networks: show only this one"}, {"u d", "Networks: switch on, off"},
		{"enter", "Denials: why this packet was dropped"}}},
	{"With a login to a controller", []hintText{{"a t r x", "Nodes: approve, tag, rename, remove"}, {"enter", "Nodes: what the controller knows of one"}, {"n x", "Keys: make one, revoke one"}, {"L", "go on with another login"}}},
	{"Signs", []hintText{{"●", "direct"}, {"◐", "through a relay"}, {"○", "online, no traffic"}, {"◇", "a device without an agent"}, {"✗", "closed: no protocol in common"}, {"·", "offline"}}},
}

// helpScreen shows all keys.
type helpScreen struct {
	*world
	scroll scroll
}

func (s *helpScreen) view(width, height int) []string {
	var lines []string
	for _, p := range helpParts {
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
	return s.scroll.part(lines, height)
}
