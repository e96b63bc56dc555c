package icon

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"testing"

	"github.com/cvlan/cvlan/tray/menu"
)

var update = flag.Bool("update", false, "write the picture of the guide anew")

// TestTheGuideShowsTheseIcons compares the picture in docs/guides/tray.md with what is drawn: each icon at 32, 16, 24 and 22 pixels, on a light and on a dark panel.
func TestTheGuideShowsTheseIcons(t *testing.T) {
	const file = "../../docs/images/tray-icons.png"
	all := menu.Stands()
	half := 64 * len(all)
	im := image.NewRGBA(image.Rect(0, 0, 2*half, 80))
	for p, ground := range []color.Color{color.RGBA{0xf2, 0xf4, 0xf5, 255}, color.RGBA{0x2b, 0x30, 0x36, 255}} {
		draw.Draw(im, image.Rect(p*half, 0, (p+1)*half, 80), image.NewUniform(ground), image.Point{}, draw.Src)
		for i, s := range all {
			for _, at := range []struct{ x, y, n int }{{6, 6, 32}, {44, 14, 16}, {8, 46, 24}, {36, 47, 22}} {
				x := p*half + 64*i + at.x
				draw.Draw(im, image.Rect(x, at.y, x+at.n, at.y+at.n), Draw(s, at.n), image.Point{}, draw.Over)
			}
		}
	}
	if *update {
		var b bytes.Buffer
		if err := png.Encode(&b, im); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for y := range 80 {
		for x := range 2 * half {
			r, g, b, _ := shown.At(x, y).RGBA()
			if c := im.RGBAAt(x, y); uint8(r>>8) != c.R || uint8(g>>8) != c.G || uint8(b>>8) != c.B {
				t.Fatalf("%s shows other icons than are drawn, at %d,%d; write it anew with -update and look at it", file, x, y)
			}
		}
	}
}
