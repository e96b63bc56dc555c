package tui

// place is a screen's tab.
type place int

const (
	placePeers place = iota
	placeHealth
	placeDenials
	placeLog
	placeNetworks
	placePolicy
	placeNodes
	placeKeys
	places
)

// screen is what a tab shows. Coordinates are those within its part of the terminal.
type screen interface {
	title() string
	badge() (text string, alarm bool) // behind the title
	caption() string                  // on the line above it: what is shown of how much
	view(width, height int) []string
	key(name string) action
	click(x, y int) action
	wheel(by int) action
	hints() []hintText // keys, the most useful first
	shown() action     // the person has come here
	tick() action      // a second has passed while it is shown
	extent() *list     // of which a part is seen; nil: of nothing
}

// typist is a screen that may be taking text: then all keys go to it.
type typist interface {
	typing() bool
	paste(text string) action
}

// hintText is a key and what it does.
type hintText struct{ key, does string }

// still is what most screens do about most things: nothing.
type still struct{}

func (still) badge() (string, bool) { return "", false }
func (still) caption() string       { return "" }
func (still) click(int, int) action { return nil }
func (still) shown() action         { return nil }
func (still) tick() action          { return nil }
