package icon

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/png"

	"github.com/cvlan/cvlan/tray/menu"
)

// ARGB returns the pixels as StatusNotifierItem wants them: rows from the top, four bytes each in network order.
func ARGB(im *image.NRGBA) []byte {
	out := make([]byte, len(im.Pix))
	for i := 0; i < len(out); i += 4 {
		out[i], out[i+1], out[i+2], out[i+3] = im.Pix[i+3], im.Pix[i], im.Pix[i+1], im.Pix[i+2]
	}
	return out
}

// PNG returns the icon as a PNG file, n pixels wide and high.
func PNG(s menu.Stand, n int) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, Draw(s, n)) // a buffer takes everything
	return b.Bytes()
}

// DIB returns the icon as Windows keeps one in a resource: a device-independent bitmap of four bytes a pixel, rows from the bottom, then a
// mask of one bit a pixel that says nothing, for the fourth byte says it better.
func DIB(s menu.Stand, n int) []byte {
	mask := (n + 31) / 32 * 4 * n
	b := make([]byte, 0, 40+4*n*n+mask)
	for _, v := range []int{40, n, 2 * n, 1 | 32<<16, 0, 0, 0, 0, 0, 0} { // the mask counts as height; one plane of 32 bits
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	im := Draw(s, n)
	for y := n - 1; y >= 0; y-- {
		for x := range n {
			c := im.NRGBAAt(x, y)
			b = append(b, c.B, c.G, c.R, c.A)
		}
	}
	return append(b, make([]byte, mask)...)
}
