package draw

import (
	"strconv"
	"strings"
)

// Theme is the palette: few colours, each with one meaning.
type Theme struct {
	Text   Style // the terminal's own
	Dim    Style // labels, and what matters less
	Rule   Style // lines between parts
	Accent Style // where the person is: the chosen tab, titles, keys
	Good   Style // direct, up
	Fair   Style // relayed, waiting, warned
	Bad    Style // failed, denied, lost
	Calm   Style // traffic
	Chosen Style // ground of the row under the cursor
	Title  Style // heads of columns and sections
}

// The colours are of the 256 that terminals have had for long, so that they look the same where there are no more.

// Dark is for light text on a dark ground.
func Dark() *Theme {
	return &Theme{
		Dim: fore(0x949494), Rule: fore(0x444444), Accent: fore(0x87d7ff), Good: fore(0x87d787), Fair: fore(0xffd787), Bad: fore(0xff8787),
		Calm: fore(0x87afd7), Chosen: Style{Back: RGB(0x303030)}, Title: fore(0xbcbcbc).Strong(),
	}
}

// Light is for dark text on a light ground.
func Light() *Theme {
	return &Theme{
		Dim: fore(0x6c6c6c), Rule: fore(0xd0d0d0), Accent: fore(0x005faf), Good: fore(0x008700), Fair: fore(0x875f00), Bad: fore(0xaf0000),
		Calm: fore(0x005f87), Chosen: Style{Back: RGB(0xe4e4e4)}, Title: fore(0x444444).Strong(),
	}
}

// Told returns the theme that fits the colours of a terminal by its COLORFGBG, "fore;back" in the sixteen colours of old: what some terminals set
// that do not answer when they are asked. Without it the ground is taken to be dark.
func Told(fgbg string) *Theme {
	back, err := strconv.Atoi(fgbg[strings.LastIndexByte(fgbg, ';')+1:])
	if err == nil && (back == 7 || back > 8 && back < 16) {
		return Light()
	}
	return Dark()
}

func fore(rgb uint32) Style { return Style{Fore: RGB(rgb)} }
