// Command natgrid lets two nodes meet behind every pair of ten kinds of routers, with the real programs in a laboratory, and says after
// how long they spoke and after how long directly; then it does to paths in use what networks do to them. It prints what it saw and the
// figures that we quote, each as a line "FIGURE name value unit", and can write the page of both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

type options struct {
	set   deploy.Set
	pairs []pair
	all   bool // the whole grid
	runs  int
	only  string
	times int // of each event and of the guessing pair
	delay time.Duration
	write string
	talks bool
}

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	some := flag.String("pairs", "", "only these pairs of kinds, as sym:port,fw:fw")
	o := options{}
	flag.IntVar(&o.runs, "runs", 1, "tries of each pair")
	flag.IntVar(&o.times, "times", 20, "tries of each event, and of the pair that guesses")
	flag.StringVar(&o.only, "only", "", "only one part: grid, beyond, guess, events, or the name of one event")
	flag.DurationVar(&o.delay, "delay", 20*time.Millisecond, "what each site's way to the internet takes; 0: nothing")
	flag.StringVar(&o.write, "write", "", "file to write the page to")
	flag.BoolVar(&o.talks, "v", false, "show what the daemons say of each event")
	flag.Parse()
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) (err error) {
		if err := lab.CheckTUN(); err != nil {
			return err
		}
		if o.set.Bin, err = filepath.Abs(*bin); err != nil {
			return err
		}
		if o.pairs, err = readPairs(*some); err != nil {
			return err
		}
		o.all = *some == ""
		return o.run(ctx, l)
	}))
}

// wants says whether a part is to be done.
func (o *options) wants(part string) bool {
	return o.only == part || o.only == "" && (o.all || part == "grid")
}

func (o *options) run(ctx context.Context, l *lab.Lab) error {
	t, err := found(ctx, l, o.set, o.delay)
	if err != nil {
		return err
	}
	r := report{delay: o.delay, runs: o.runs, pairs: o.pairs}
	version, err := t.ctl.Host.Run(ctx, o.set.Path("cvlan"), "version", "--template", "{{.client.version}}")
	if err == nil {
		r.version = strings.TrimSpace(version)
	}
	if o.wants("grid") || o.wants("guess") {
		g, err := plot(ctx, t, o.pairs)
		if err != nil {
			return err
		}
		if err := o.meetings(ctx, g, &r); err != nil {
			return err
		}
	}
	err = nil // of a part that failed; the others still tell something
	if o.wants("beyond") {
		r.beyond, err = t.beyond(ctx, o.runs)
	}
	err = errors.Join(err, o.happenings(ctx, t, &r))
	fmt.Println(r.page())
	if o.write != "" {
		err = errors.Join(err, os.WriteFile(o.write, []byte(r.page()), 0o644))
	}
	return err
}

func (o *options) meetings(ctx context.Context, g *grid, r *report) (err error) {
	if o.wants("grid") {
		if r.grid, err = g.measure(ctx, o.pairs, o.runs); err != nil {
			return err
		}
		figures(o.pairs, r.grid, o.delay)
	}
	if o.wants("guess") {
		return g.guess(ctx, o.times)
	}
	return nil
}

func (o *options) happenings(ctx context.Context, t *town, r *report) error {
	single := !slices.Contains([]string{"", "grid", "beyond", "guess", "events"}, o.only)
	if !single && !o.wants("events") {
		return nil
	}
	all, err := t.events(ctx)
	if err != nil {
		return err
	}
	for _, e := range all {
		if single && e.name != o.only {
			continue
		}
		e.talks = o.talks
		done, err := e.suffer(ctx, o.times)
		if err != nil {
			fmt.Println("FAILED:", err) // the other events may still tell something
		}
		if len(done.all) > 0 {
			r.events = append(r.events, done)
		}
	}
	return nil
}
