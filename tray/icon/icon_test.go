package icon

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/cvlan/cvlan/tray/menu"
)

func light(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	return (.2126*float64(r) + .7152*float64(g) + .0722*float64(b)) / 0xffff
}

// TestEveryBadgeStandsOutFromItsPanel holds the tones between those of usual panels, and signs apart from badges.
func TestEveryBadgeStandsOutFromItsPanel(t *testing.T) {
	for _, s := range menu.Stands() {
		sg := signOf(s)
		if l := light(sg.badge); l < .25 || l > .72 {
			t.Errorf("%s: the badge's lightness is %.2f", s, l)
		}
		if d := light(sg.ink) - light(sg.badge); d < .3 && d > -.3 {
			t.Errorf("%s: sign and badge differ by %.2f only", s, d)
		}
	}
}

// TestStandsDifferWithoutColour compares the signs in black and white at the smallest size.
func TestStandsDifferWithoutColour(t *testing.T) {
	all := menu.Stands()
	signs := map[menu.Stand]*image.NRGBA{}
	for _, s := range all {
		im := image.NewNRGBA(image.Rect(0, 0, 16, 16))
		paint(im, signOf(s).glyph, white)
		signs[s] = im
	}
	for i, a := range all {
		for _, b := range all[i+1:] {
			other := 0
			for p := 3; p < len(signs[a].Pix); p += 4 {
				if d := int(signs[a].Pix[p]) - int(signs[b].Pix[p]); d > 128 || d < -128 {
					other++
				}
			}
			if other < 20 {
				t.Errorf("%s and %s differ in %d pixels of 256", a, b, other)
			}
		}
	}
}

func TestCornersAreClearAndTheMiddleIsNot(t *testing.T) {
	for _, n := range Sizes {
		im := Draw(menu.On, n)
		if im.NRGBAAt(0, 0).A != 0 || im.NRGBAAt(n/2, n-n/8).A != 255 {
			t.Errorf("%d pixels: corner %v, inside %v", n, im.NRGBAAt(0, 0), im.NRGBAAt(n/2, n-n/8))
		}
		argb := ARGB(im)
		i := 4 * ((n-n/8)*n + n/2)
		if c := im.NRGBAAt(n/2, n-n/8); argb[i] != c.A || argb[i+1] != c.R || argb[i+3] != c.B {
			t.Errorf("%d pixels: %v became %v", n, c, argb[i:i+4])
		}
	}
}

func TestFilesAreWhole(t *testing.T) {
	im, err := png.Decode(bytes.NewReader(PNG(menu.Warning, 22)))
	if err != nil || im.Bounds().Dx() != 22 {
		t.Fatal(im, err)
	}
	dib := DIB(menu.Warning, 22)
	if want := 40 + 4*22*22 + 4*22; len(dib) != want || binary.LittleEndian.Uint32(dib[8:]) != 44 || binary.LittleEndian.Uint16(dib[14:]) != 32 {
		t.Errorf("%d bytes, not %d, and a header of % x", len(dib), want, dib[:40])
	}
}
