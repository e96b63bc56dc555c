package draw

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

// Dark is for light text on a dark ground.
func Dark() *Theme {
	return &Theme{
		Dim: fore(0x8b96a5), Rule: fore(0x3a4350), Accent: fore(0x7cc4ff), Good: fore(0x7ddba3), Fair: fore(0xf2c572), Bad: fore(0xff8a8a),
		Calm: fore(0x8fb8de), Chosen: Style{Back: RGB(0x22303f)}, Title: fore(0xa9b4c2).Strong(),
	}
}

// Light is for dark text on a light ground.
func Light() *Theme {
	return &Theme{
		Dim: fore(0x667080), Rule: fore(0xcbd2da), Accent: fore(0x0b63b0), Good: fore(0x1b7f45), Fair: fore(0x9a6100), Bad: fore(0xc02929),
		Calm: fore(0x3f6f9f), Chosen: Style{Back: RGB(0xdcebfa)}, Title: fore(0x4a5563).Strong(),
	}
}

func fore(rgb uint32) Style { return Style{Fore: RGB(rgb)} }
