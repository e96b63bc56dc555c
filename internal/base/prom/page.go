// Package prom writes metrics in Prometheus's text form, version 0.0.4.
package prom

import (
	"fmt"
	"io"
)

// ContentType is what a page is served as.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Page writes metrics one family at a time. Labels and their values are plain text without quotes, backslashes and ends of lines.
type Page struct{ W io.Writer }

// Family begins a family of samples; kind is counter or gauge.
func (p Page) Family(name, kind, help string) {
	fmt.Fprintf(p.W, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// One writes a family of one sample.
func (p Page) One(name, kind, help string, value uint64) {
	p.Family(name, kind, help)
	fmt.Fprintf(p.W, "%s %d\n", name, value)
}

// Row writes one sample; labels are names and values in turn, one pair at least.
func (p Page) Row(name string, value uint64, labels ...string) {
	fmt.Fprint(p.W, name)
	open := "{"
	for i := 0; i+1 < len(labels); i += 2 {
		fmt.Fprintf(p.W, "%s%s=%q", open, labels[i], labels[i+1])
		open = ","
	}
	fmt.Fprintf(p.W, "} %d\n", value)
}
