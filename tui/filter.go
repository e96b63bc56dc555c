package tui

import "strings"

// filter is what a person typed to see fewer peers: words that must all occur in a peer's name, owner, addresses, path, protocol or
// network; one that begins with "!" must not.
type filter struct{ with, without []string }

func newFilter(text string) filter {
	var f filter
	for _, word := range strings.Fields(strings.ToLower(text)) {
		switch rest, not := strings.CutPrefix(word, "!"); {
		case !not:
			f.with = append(f.with, word)
		case rest != "":
			f.without = append(f.without, rest)
		}
	}
	return f
}

func (f filter) matches(p *peer) bool {
	if len(f.with)+len(f.without) == 0 {
		return true
	}
	text := p.search()
	for _, word := range f.with {
		if !strings.Contains(text, word) {
			return false
		}
	}
	for _, word := range f.without {
		if strings.Contains(text, word) {
			return false
		}
	}
	return true
}
