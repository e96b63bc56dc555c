package cli

import (
	"image"
	"image/color"
	"image/png"
	"io"
	"strings"

	"github.com/boombuler/barcode/qr"

	"github.com/cvlan/cvlan/cli/iox"
)

// quiet is the width of the light border around a code, in modules (ISO/IEC 18004, section 9.1).
const quiet = 4

// qrCode is a QR code: squares, called modules, of which dark reports the dark ones. Around it there is a light border.
type qrCode struct {
	size int // of a side, in modules, border included
	dark func(x, y int) bool
}

// encodeQR makes the smallest code that holds a text, with the lowest correction of errors: screens have no stains. About 2,900
// bytes fit.
func encodeQR(text string) (qrCode, error) {
	c, err := qr.Encode(text, qr.L, qr.Unicode)
	if err != nil {
		return qrCode{}, &iox.Error{Exit: iox.Invalid, What: "make a QR code", Why: "the configuration is too long for one", Err: err,
			Hint: "name fewer nodes, or use --export wg-quick"}
	}
	n := c.Bounds().Dx()
	return qrCode{size: n + 2*quiet, dark: func(x, y int) bool {
		x, y = x-quiet, y-quiet
		return x >= 0 && y >= 0 && x < n && y < n && c.At(x, y) == color.Gray16(color.Black)
	}}, nil
}

// text draws the code in half blocks, two rows a line, light on dark; below an odd number of rows the border is a row wider. With colour the terminal's own colours do not matter.
func (q qrCode) text(coloured bool) string {
	blocks := map[[2]bool]string{{false, false}: "█", {false, true}: "▀", {true, false}: "▄", {true, true}: " "}
	var b strings.Builder
	for y := 0; y < q.size; y += 2 {
		if coloured {
			b.WriteString("\x1b[97;40m")
		}
		for x := range q.size {
			b.WriteString(blocks[[2]bool{q.dark(x, y), q.dark(x, y+1)}])
		}
		if coloured {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// side is how many pixels of a picture a module has each way.
const side = 8

// png writes the code as a picture.
func (q qrCode) png(w io.Writer) error {
	p := image.NewPaletted(image.Rect(0, 0, q.size*side, q.size*side), color.Palette{color.White, color.Black})
	for y := range q.size * side {
		for x := range q.size * side {
			if q.dark(x/side, y/side) {
				p.SetColorIndex(x, y, 1)
			}
		}
	}
	return png.Encode(w, p)
}
