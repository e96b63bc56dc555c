package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/doctor"
	"github.com/cvlan/cvlan/cli/iox"
)

type doctorOptions struct {
	talk
	fix   bool
	quick bool
}

func newDoctor(env *Env) *cobra.Command {
	o := &doctorOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Find what is wrong on this machine, and mend it",
		Long: "doctor looks at the daemon, this machine and its network, and says of everything that is wrong what it is, why, and what to type; it " +
			"needs no daemon for that. With --fix it runs what is safe of that itself, and names it: it starts the daemon, loads the kernel's module for TUN " +
			"devices, or sets back a value that somebody has changed. It ends with exit code 12 if something is wrong still. An ordinary user " +
			"gets fewer checks than root and operators; which were left out is said.",
		Example: "  sudo cvlan doctor\n  sudo cvlan doctor --fix\n  cvlan doctor --quick --template '{{range .findings}}{{.code}} {{end}}'",
		Args:    takes(),
	}
	c.RunE = o.asks(func(ctx context.Context, _ []string) error { return o.run(ctx) })
	f := c.Flags()
	f.BoolVar(&o.fix, "fix", false, "run the safe cures")
	f.BoolVar(&o.quick, "quick", false, "leave out the check of the internet connection, which takes up to three seconds")
	timeoutFlag(c, &o.timeout, 20*time.Second, "how long to look")
	outputFlags(c, &o.out, "findings.code")
	return c
}

// diagnosis is the JSON document.
type diagnosis struct {
	Schema  int  `json:"schema"`
	Healthy bool `json:"healthy"`
	doctor.Report
	Done []deed `json:"done,omitempty"`
}

// deed is a cure that was run.
type deed struct {
	Code    string `json:"code"`
	Command string `json:"command"`
	Problem string `json:"problem,omitempty"` // absent: it went well
}

// host is the machine that is looked at.
func (e *Env) host() doctor.Host {
	if e.Host != nil {
		return e.Host
	}
	return doctor.System{}
}

func (o *doctorOptions) run(ctx context.Context) error {
	p := o.progress(ctx, "looking")
	f := doctor.Look(ctx, o.Now(), o.client, o.host(), !o.quick)
	p.stop()
	if errors.Is(ctx.Err(), context.Canceled) { // what was not looked at is not wrong
		return ctx.Err()
	}
	d := diagnosis{Schema: local.Schema, Report: doctor.Judge(&f)}
	if o.fix {
		if d.Done = o.cure(ctx, &f, d.Findings); len(d.Done) > 0 {
			d.Report = o.again(ctx, &f)
		}
	}
	d.Healthy = d.Report.Healthy()
	if err := o.out.Write(o.IO, d, func() { o.print(&d) }); err != nil {
		return err
	}
	if d.Healthy {
		return nil
	}
	return &iox.Error{Exit: iox.Degraded, What: "something is wrong", Err: errShown}
}

// cure runs the cures, each command once.
func (o *doctorOptions) cure(ctx context.Context, f *doctor.Facts, found []doctor.Finding) (done []deed) {
	seen := map[string]bool{}
	for _, x := range found {
		command := x.CureText()
		if command == "" || seen[command] {
			continue
		}
		seen[command] = true
		d := deed{Code: x.Code, Command: command}
		if !f.Host.Root {
			d.Problem = "only root may do that: sudo cvlan doctor --fix"
		} else if err := o.host().Run(ctx, x.Cure); err != nil {
			d.Problem = err.Error()
		}
		done = append(done, d)
	}
	return done
}

// again judges anew what cures may have changed. A daemon that has just been started gets a moment to open its door.
func (o *doctorOptions) again(ctx context.Context, was *doctor.Facts) doctor.Report {
	const tries, pause = 20, 100 * time.Millisecond
	var f doctor.Facts
	for range tries {
		f = doctor.Look(ctx, o.Now(), o.client, o.host(), false)
		if !errors.Is(f.Silence, local.ErrNoDaemon) || ctx.Err() != nil || f.Host.Unit == "" {
			break
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	f.Check = was.Check
	return doctor.Judge(&f)
}

func (o *doctorOptions) print(d *diagnosis) {
	for _, x := range d.Done {
		if x.Problem != "" {
			o.IO.Printf("not done (%s): %s", x.Problem, x.Command)
			continue
		}
		o.IO.Printf("done: %s", x.Command)
	}
	if len(d.Done) > 0 {
		o.IO.Printf("")
	}
	for i, f := range d.Findings {
		if i > 0 {
			o.IO.Printf("")
		}
		o.tell(&f)
	}
	if len(d.Findings) > 0 {
		o.IO.Printf("")
	}
	if d.Healthy {
		o.IO.Printf("%s", o.healthy(d))
	} else if !o.fix && curable(d.Findings) {
		o.IO.Printf("sudo cvlan doctor --fix does what is marked with *.")
	}
	for _, s := range d.Skipped {
		o.IO.Printf("not looked at: %s (%s)", s.Check, s.Why)
	}
}

func (o *doctorOptions) healthy(d *diagnosis) string {
	if len(d.Skipped) > 0 {
		return "Nothing is wrong with what could be looked at."
	}
	return "Nothing is wrong."
}

func curable(all []doctor.Finding) bool {
	for _, f := range all {
		if len(f.Cure) > 0 {
			return true
		}
	}
	return false
}

// severities are how the severities look.
var severities = map[doctor.Severity]iox.Style{doctor.Error: iox.Red, doctor.Warning: iox.Amber, doctor.Note: iox.Dim}

// tell prints a finding: what, why, and what to type.
func (o *doctorOptions) tell(f *doctor.Finding) {
	about := ""
	if f.Network != "" {
		about = f.Network + ": "
	}
	mark := ""
	if len(f.Cure) > 0 {
		mark = " *"
	}
	o.IO.Out.Write([]byte(o.IO.Paint(severities[f.Severity], string(f.Severity)) + "  " + iox.Clean(about+f.What) + mark + "  [" + iox.Clean(f.Code) + "]\n"))
	if f.Why != "" {
		o.IO.Printf("    why: %s", f.Why)
	}
	for line := range strings.Lines(f.Hint) {
		o.IO.Printf("    %s", strings.TrimSuffix(line, "\n"))
	}
}
