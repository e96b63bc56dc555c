// Command termsvg draws what a terminal shows as an SVG picture, for the documentation. It reads the lines of `tmux capture-pane -e -p`:
// text, colours and attributes, without movements of the cursor.
//
//	tmux capture-pane -e -p | go run ./internal/lab/termsvg [-light] > picture.svg
package main

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Sizes of a cell and of the rim, in pixels.
const (
	cellWidth  = 8.4
	cellHeight = 18
	fontSize   = 14
	rim        = 14
)

func main() {
	light := flag.Bool("light", false, "dark text on a light ground")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *light); err != nil {
		fmt.Fprintln(os.Stderr, "termsvg:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, light bool) error {
	fore, back := "#d7dee7", "#10161d"
	if light {
		fore, back = "#1d2630", "#fbfcfd"
	}
	var body bytes.Buffer
	lines := bufio.NewScanner(in)
	wide, high := 0, 0
	for lines.Scan() {
		w := drawLine(&body, lines.Text(), high, fore)
		wide, high = max(wide, w), high+1
	}
	if err := lines.Err(); err != nil {
		return err
	}
	w, h := float64(wide)*cellWidth+2*rim, high*cellHeight+2*rim
	_, err := fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="%d" shape-rendering="crispEdges">`+"\n"+
		`<rect width="100%%" height="100%%" rx="8" fill="%s" shape-rendering="auto"/>`+"\n%s</svg>\n", w, h, w, h, fontSize, back, body.Bytes())
	return err
}

// look is how text looks at a place.
type look struct {
	fore, back      string // "": the terminal's own
	bold, underline bool
	reverse         bool
}

// drawLine draws a line of the terminal and returns how many cells it takes.
func drawLine(b *bytes.Buffer, text string, row int, fore string) int {
	var l look
	column := 0
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			codes, after, _ := strings.Cut(rest, "m")
			l.take(strings.FieldsFunc(codes, func(r rune) bool { return r == ';' || r == ':' }))
			text = after
			continue
		}
		run, rest := text, ""
		if i := strings.IndexByte(text, 0x1b); i >= 0 {
			run, rest = text[:i], text[i:]
			if i == 0 {
				text = text[1:] // no style: left out
				continue
			}
		}
		drawRun(b, l, run, column, row, fore)
		column += ansi.StringWidth(run)
		text = rest
	}
	return column
}

// drawRun draws text of one look: blocks as rectangles, so that they meet in every viewer, the rest as text between them.
func drawRun(b *bytes.Buffer, l look, run string, column, row int, fore string) {
	ink, ground := l.fore, l.back
	if ink == "" {
		ink = fore
	}
	if l.reverse {
		ink, ground = "#10161d", ink
	}
	x, y := rim+float64(column)*cellWidth, float64(rim+row*cellHeight)
	if ground != "" {
		rect(b, x, y, float64(ansi.StringWidth(run))*cellWidth, cellHeight, ground)
	}
	var letters strings.Builder
	at := x
	flush := func() {
		if t := letters.String(); strings.TrimSpace(t) != "" {
			lead := len(t) - len(strings.TrimLeft(t, " "))
			words(b, l, strings.TrimSpace(t), at+float64(lead)*cellWidth, y, ink)
		}
		letters.Reset()
	}
	all := []rune(run)
	for i := 0; i < len(all); i++ {
		r := all[i]
		if left, top, w, h, ok := block(r); ok {
			flush()
			from := x + left*cellWidth
			for w == 1 && i+1 < len(all) && all[i+1] == r { // alike ones are one, or they would not meet in every viewer
				i, x = i+1, x+cellWidth
			}
			rect(b, from, y+top*cellHeight, x-from+(left+w)*cellWidth, h*cellHeight, ink)
		} else {
			if letters.Len() == 0 {
				at = x
			}
			letters.WriteRune(r)
		}
		x += cellWidth * float64(ansi.StringWidth(string(r)))
	}
	flush()
}

func words(b *bytes.Buffer, l look, text string, x, y float64, ink string) {
	style := ""
	if l.bold {
		style += ` font-weight="bold"`
	}
	if l.underline {
		style += ` text-decoration="underline"`
	}
	fmt.Fprintf(b, `<text xml:space="preserve" x="%.1f" y="%.1f" textLength="%.1f" fill="%s"%s>`, x, y+cellHeight-4.5, float64(ansi.StringWidth(text))*cellWidth, ink, style)
	_ = xml.EscapeText(b, []byte(text))
	b.WriteString("</text>\n")
}

func rect(b *bytes.Buffer, x, y, w, h float64, color string) {
	fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.2f" height="%.2f" fill="%s"/>`+"\n", x, y, w, h, color)
}

// block returns which part of a cell a block or a line fills.
func block(r rune) (left, top, width, height float64, ok bool) {
	switch {
	case r >= '▁' && r <= '█':
		part := float64(r-'▁'+1) / 8
		return 0, 1 - part, 1, part, true
	case r == '▀':
		return 0, 0, 1, .5, true
	case r == '▔':
		return 0, 0, 1, .08, true
	case r == '▌':
		return 0, 0, .4, 1, true
	case r == '─':
		return 0, .48, 1, .06, true
	case r == '│':
		return .45, 0, .12, 1, true
	}
	return 0, 0, 0, 0, false
}
