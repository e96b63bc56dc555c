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

// ICO returns the icon as a file for Windows with every size. Its pictures are device-independent bitmaps: four bytes a pixel, rows from
// the bottom, then a mask of one bit a pixel that says nothing, for the fourth byte says it better.
func ICO(s menu.Stand) []byte {
	var head, body bytes.Buffer
	put := func(b *bytes.Buffer, v any) { _ = binary.Write(b, binary.LittleEndian, v) }
	put(&head, [3]uint16{0, 1, uint16(len(Sizes))})
	for _, n := range Sizes {
		mask := (n + 31) / 32 * 4 * n
		size := 40 + 4*n*n + mask
		put(&head, [4]uint8{uint8(n), uint8(n)})
		put(&head, [2]uint16{1, 32})
		put(&head, [2]uint32{uint32(size), uint32(6 + 16*len(Sizes) + body.Len())})
		put(&body, [3]int32{40, int32(n), int32(2 * n)}) // the mask counts as height
		put(&body, [2]uint16{1, 32})
		put(&body, [6]uint32{})
		im := Draw(s, n)
		for y := n - 1; y >= 0; y-- {
			for x := range n {
				c := im.NRGBAAt(x, y)
				body.Write([]byte{c.B, c.G, c.R, c.A})
			}
		}
		body.Write(make([]byte, mask))
	}
	return append(head.Bytes(), body.Bytes()...)
}
