package main

import (
	"fmt"
	"strings"
	"time"
)

// report is the page of what was measured.
type report struct {
	version string
	delay   time.Duration
	runs    int
	pairs   []pair
	grid    []*meeting
	beyond  []*meeting
	events  []outage
}

// page writes it in Markdown.
func (r *report) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Which networks meet directly

<!-- Written by make natgrid ARGS="-write FILE". Do not edit. -->

Two computers, each behind a router of one kind, with the real daemons, controller and relays in a laboratory of Linux network namespaces.
Each way to the internet takes %v, so that two of them are %v apart, there and back. Both daemons have just started and know nothing; then
one sends to the other. A cell says after how long both ends used the direct path; everything before went through the relay. Where no
direct path came up it says *relay*, and traffic flows all the same. %s.

The kinds, by RFC 4787 (mapping: which outside port a socket gets; filtering: who may answer it):

| kind | mapping | filtering |
|---|---|---|
| none | not translated | open |
| fw | not translated | by address and port |
| fullcone | endpoint-independent | endpoint-independent |
| addr | endpoint-independent | by address |
| port, port+rand | endpoint-independent; +rand: the port differs from the inside one | by address and port |
| linux+openinput | as Linux masquerades | by address and port; the router answers strangers itself and so loses ports to them |
| symaddr | by address and port, random | by address |
| sym | by address and port, random | by address and port |
| noudp | no UDP passes | |

`, r.delay, 2*r.delay, tries(r.runs))
	r.table(&b)
	r.more(&b)
	r.outages(&b)
	fmt.Fprintf(&b, "\nMeasured with version %s. Repeat it with `make natgrid`; `make natgrid ARGS=\"-pairs sym:port -runs 20\"` for some pairs only.\n", r.version)
	return b.String()
}

func tries(runs int) string {
	if runs == 1 {
		return "One try a cell"
	}
	return fmt.Sprintf("The median of %d tries a cell", runs)
}

// table is the triangle of the pairs.
func (r *report) table(b *strings.Builder) {
	if len(r.grid) == 0 {
		return
	}
	cells := map[pair]string{}
	var count [4]struct{ direct, all int }
	for i, m := range r.grid {
		p := r.pairs[i]
		cells[p] = cell(m)
		count[p.fate()].all++
		if len(m.directs()) > 0 {
			count[p.fate()].direct++
		}
	}
	fmt.Fprintf(b, "| |")
	for _, k := range kinds {
		fmt.Fprintf(b, " %s |", k.name)
	}
	fmt.Fprintf(b, "\n|---|%s\n", strings.Repeat("---|", len(kinds)))
	for y, k := range kinds {
		fmt.Fprintf(b, "| **%s** |", k.name)
		for x := range kinds {
			fmt.Fprintf(b, " %s |", cells[pair{x, y}])
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "\nDirect: %d of the %d pairs that punching alone joins, %d of the %d that need a guessed port, %d of the %d that need an agreed start\n"+
		"(a router that answers strangers itself), %d of the %d that nothing but a relay joins.\n",
		count[punched].direct, count[punched].all, count[guessed].direct, count[guessed].all, count[timed].direct, count[timed].all,
		count[relayed].direct, count[relayed].all)
}

func cell(m *meeting) string {
	switch directs := m.directs(); {
	case m.err != nil:
		return "**failed**"
	case len(directs) > 0 && len(directs) < len(m.tries):
		return fmt.Sprintf("%d/%d, %.0f ms", len(directs), len(m.tries), ms(median(directs)))
	case len(directs) > 0:
		return fmt.Sprintf("%.0f ms", ms(median(directs)))
	case len(m.firsts()) > 0:
		return "*relay*"
	}
	return "**nothing**"
}

// more lists the places outside the grid.
func (r *report) more(b *strings.Builder) {
	if len(r.beyond) == 0 {
		return
	}
	fmt.Fprint(b, "\n## Beyond the grid\n\n| place | direct after | first answer after |\n|---|---|---|\n")
	for i, m := range r.beyond {
		fmt.Fprintf(b, "| %s | %s | %.0f ms |\n", places[i].what, cell(m), ms(median(m.firsts())))
	}
}

// outages lists what events cost.
func (r *report) outages(b *strings.Builder) {
	if len(r.events) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## When something happens to a path in use\n\nThe longest silence of a flow of 100 datagrams a second, %d runs each.\n\n"+
		"| event | median | 95th percentile | goal |\n|---|---|---|---|\n", len(r.events[0].all))
	for _, o := range r.events {
		fmt.Fprintf(b, "| %s | %.0f ms | %s | %.0f ms |\n", o.event.what, ms(median(o.all)), worst(o), ms(o.event.goal))
	}
}

func worst(o outage) string {
	if o.lost > 0 {
		return fmt.Sprintf("%d of %d did not end within %v", o.lost, len(o.all), givenUp)
	}
	return fmt.Sprintf("%.0f ms", ms(p95(o.all)))
}
