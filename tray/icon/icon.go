// Package icon draws the tray's icon. Each stand has a shape and a colour of its own, so that neither is needed to tell them apart:
// a white sign on a badge whose tone lies between those of light and dark panels. It is drawn anew for each size, 16 to 48 pixels and
// more; nothing is scaled.
package icon

import (
	"image"
	"image/color"

	"github.com/cvlan/cvlan/tray/menu"
)

// Sizes are the edges that panels ask for, in pixels.
var Sizes = []int{16, 22, 24, 32, 48}

var white = color.NRGBA{255, 255, 255, 255}

// sign is how a stand looks.
type sign struct {
	badge color.NRGBA
	ink   color.NRGBA
	glyph shape
}

func signOf(s menu.Stand) sign {
	switch s {
	case menu.Connecting:
		return sign{color.NRGBA{0x7a, 0x5c, 0xc8, 255}, white, dots()}
	case menu.On:
		return sign{color.NRGBA{0x16, 0x93, 0x5d, 255}, white, mesh()}
	case menu.Relayed:
		return sign{color.NRGBA{0x24, 0x76, 0xd9, 255}, white, detour()}
	case menu.Warning:
		return sign{color.NRGBA{0xf0, 0x9a, 0x10, 255}, color.NRGBA{0x24, 0x18, 0, 255}, alarm()}
	case menu.Login:
		return sign{color.NRGBA{0xd2, 0x3f, 0x3a, 255}, white, passkey()}
	default:
		return sign{color.NRGBA{0x78, 0x7f, 0x8a, 255}, white, power()}
	}
}

// Draw returns the icon of a stand, n pixels wide and high.
func Draw(s menu.Stand, n int) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, n, n))
	sg := signOf(s)
	paint(im, box(.5, .2), sg.badge)
	paint(im, sg.glyph, sg.ink)
	return im
}

// mesh is three machines, each joined to each.
func mesh() shape {
	return join(
		disc(.5, .26, .125), disc(.235, .72, .125), disc(.765, .72, .125),
		stroke(.5, .26, .235, .72, .085), stroke(.5, .26, .765, .72, .085), stroke(.235, .72, .765, .72, .085),
	)
}

// detour is two machines that meet only by way of a third, which is hollow and hangs below them: upright it would be a mesh that lacks a line, which
// at 16 pixels nobody sees who does not see colours.
func detour() shape {
	return join(
		ring(.5, .71, .115, .085), disc(.22, .28, .125), disc(.78, .28, .125),
		stroke(.42, .58, .22, .28, .085), stroke(.58, .58, .78, .28, .085),
	)
}

func dots() shape {
	return join(disc(.24, .5, .1), disc(.5, .5, .1), disc(.76, .5, .1))
}

func power() shape {
	gap := stroke(.5, .1, .5, .42, .26)
	return join(less(ring(.5, .53, .255, .1), gap), stroke(.5, .22, .5, .5, .1))
}

func alarm() shape {
	return join(stroke(.5, .24, .5, .55, .14), disc(.5, .77, .085))
}

// passkey is a key, its bow on the left.
func passkey() shape {
	return join(
		ring(.31, .5, .13, .1), stroke(.45, .5, .84, .5, .1),
		stroke(.8, .5, .8, .66, .1), stroke(.63, .5, .63, .62, .1),
	)
}
