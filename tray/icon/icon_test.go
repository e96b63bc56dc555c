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
			if other < 8 {
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
	ico := ICO(menu.Warning)
	if n := binary.LittleEndian.Uint16(ico[4:]); int(n) != len(Sizes) {
		t.Fatalf("%d pictures", n)
	}
	end := 0
	for i, n := range Sizes {
		e := ico[6+16*i:]
		at, size := int(binary.LittleEndian.Uint32(e[12:])), int(binary.LittleEndian.Uint32(e[8:]))
		if int(e[0]) != n || at+size > len(ico) || binary.LittleEndian.Uint32(ico[at:]) != 40 {
			t.Errorf("picture %d of %d bytes at %d", n, size, at)
		}
		end = at + size
	}
	if end != len(ico) {
		t.Errorf("%d bytes, the last picture ends at %d", len(ico), end)
	}
}
