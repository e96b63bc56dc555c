package icon

import (
	"image"
	"image/color"
	"math"
)

// A shape tells how far a point is outside of it (negative: inside). Coordinates run from 0 to 1 from the upper left corner.
type shape func(x, y float64) float64

func disc(cx, cy, r float64) shape {
	return func(x, y float64) float64 { return math.Hypot(x-cx, y-cy) - r }
}

// box is a square in the middle, with round corners.
func box(half, corner float64) shape {
	return func(x, y float64) float64 {
		dx, dy := math.Abs(x-.5)-half+corner, math.Abs(y-.5)-half+corner
		return math.Hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - corner
	}
}

// stroke is a line of width w with round ends.
func stroke(x0, y0, x1, y1, w float64) shape {
	dx, dy := x1-x0, y1-y0
	return func(x, y float64) float64 {
		t := min(max(((x-x0)*dx+(y-y0)*dy)/(dx*dx+dy*dy), 0), 1)
		return math.Hypot(x-x0-t*dx, y-y0-t*dy) - w/2
	}
}

// ring is a circle's line of width w.
func ring(cx, cy, r, w float64) shape {
	return func(x, y float64) float64 { return math.Abs(math.Hypot(x-cx, y-cy)-r) - w/2 }
}

func join(all ...shape) shape {
	return func(x, y float64) float64 {
		d := math.Inf(1)
		for _, s := range all {
			d = min(d, s(x, y))
		}
		return d
	}
}

// less is a without b.
func less(a, b shape) shape {
	return func(x, y float64) float64 { return max(a(x, y), -b(x, y)) }
}

// paint lays a shape in colour c over im, its edge smoothed over one pixel.
func paint(im *image.NRGBA, s shape, c color.NRGBA) {
	n := im.Rect.Dx()
	for py := range n {
		for px := range n {
			d := s((float64(px)+.5)/float64(n), (float64(py)+.5)/float64(n)) * float64(n)
			if cover := min(max(.5-d, 0), 1); cover > 0 {
				im.SetNRGBA(px, py, over(im.NRGBAAt(px, py), c, cover))
			}
		}
	}
}

// over lays c, covering a part of the pixel, over what is there.
func over(under, c color.NRGBA, cover float64) color.NRGBA {
	a, ua := cover*float64(c.A)/255, float64(under.A)/255
	out := a + ua*(1-a)
	mix := func(top, low uint8) uint8 {
		return uint8(math.Round((float64(top)*a + float64(low)*ua*(1-a)) / out))
	}
	return color.NRGBA{mix(c.R, under.R), mix(c.G, under.G), mix(c.B, under.B), uint8(math.Round(out * 255))}
}
