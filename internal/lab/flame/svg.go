package main

import (
	"bufio"
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
)

// Sizes of the picture, in pixels.
const (
	width     = 1200
	rowHeight = 17
	margin    = 10
	headRoom  = 30
	legend    = 20   // a line of it
	thinnest  = 1.0  // frames narrower than this are left out
	character = 6.4  // about the width of one
	labelFrom = 28.0 // frames narrower than this have no label
)

// draw writes the tree as SVG: the outermost function at the bottom.
func draw(w io.Writer, root *frame, title string) error {
	b := bufio.NewWriter(w)
	scale := float64(width-2*margin) / float64(root.total)
	depth := root.depth(scale)
	foot := headRoom + depth*rowHeight
	height := foot + margin + (len(kinds)+1)*legend
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="monospace" font-size="11">`+"\n", width, height, width, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="20" font-size="14">%s (%d samples)</text>`+"\n", margin, html.EscapeString(title), root.total)
	drawCalls(b, root, margin, foot, scale, root.total)
	for i, s := range root.shares() {
		y := foot + margin + i*legend
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/><text x="%d" y="%d">%5.1f %%  %s</text>`+"\n", margin, y, s.kind.colour, margin+18, y+10, 100*s.part, s.kind.name)
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

func drawCalls(b *bufio.Writer, f *frame, x float64, y int, scale float64, all int) {
	slices.SortFunc(f.calls, func(a, c *frame) int { return cmp.Compare(a.name, c.name) })
	for _, c := range f.calls {
		wide := float64(c.total) * scale
		if wide >= thinnest {
			fmt.Fprintf(b, `<g><title>%s, %.1f %%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" stroke="white" stroke-width="0.5"/>`,
				html.EscapeString(c.name), 100*float64(c.total)/float64(all), x, y-rowHeight, wide, rowHeight-1, c.kindOf().colour)
			if wide >= labelFrom {
				fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="white">%s</text>`, x+3, y-5, html.EscapeString(cut(c.name, int((wide-6)/character))))
			}
			fmt.Fprintln(b, "</g>")
			drawCalls(b, c, x, y-rowHeight, scale, all)
		}
		x += wide
	}
}

// depth is how many rows are drawn above f.
func (f *frame) depth(scale float64) (most int) {
	for _, c := range f.calls {
		if float64(c.total)*scale >= thinnest {
			most = max(most, 1+c.depth(scale))
		}
	}
	return most
}

// cut shortens a name to n characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:max(n-2, 0)] + ".."
}
