// Command cvlan-tray shows in the panel how this machine's networks are, with a menu for what people do every day.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/tray"
	"github.com/cvlan/cvlan/tray/desk"
)

// Exit codes, the same as those of cvlan (cli/iox) for the same reasons.
const (
	exitOK       = 0 // Quit was chosen, or the session has ended
	exitInternal = 1
	exitUsage    = 2
	exitNotFound = 9  // there is no place for an icon
	exitConflict = 10 // a tray of this session runs already
)

// gcPercent keeps the heap near its two megabytes of what is in use: an icon waits, and what it costs is memory.
const gcPercent = 40

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// options are the command line.
type options struct {
	socket    string
	wait      time.Duration
	autostart string
	version   bool
	out       io.Writer
}

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	f := pflag.NewFlagSet("cvlan-tray", pflag.ContinueOnError)
	f.SortFlags = false
	f.StringVar(&o.socket, "socket", os.Getenv("CVLAN_SOCKET"), "where the daemon listens (default $CVLAN_SOCKET, else "+local.DefaultSocket+")")
	f.DurationVar(&o.wait, "wait", 10*time.Second, "how long to wait for the desktop's panel")
	f.StringVar(&o.autostart, "autostart", "", "on, off: whether the tray starts when you log in; show: say which; then end")
	f.BoolVar(&o.version, "version", false, "say which build this is, and end")
	f.SetOutput(errs)
	f.Usage = func() {
		fmt.Fprintf(errs, "Shows in the panel how this machine's networks are.\n\nUsage:\n  cvlan-tray [flags]\n\nExamples:\n  cvlan-tray &\n  cvlan-tray --autostart on\n\nFlags:\n%s", f.FlagUsages())
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch o.autostart {
	case "", "on", "off", "show":
	default:
		return o, fmt.Errorf("--autostart %q: it takes on, off or show", o.autostart)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q: there are no arguments; see --help", f.Arg(0))
	}
	return o, nil
}

func run(args []string, out, errs io.Writer) int {
	o, err := parse(args, errs)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	case err != nil:
		return fail(errs, err, exitUsage)
	case o.version:
		v := version.Get()
		fmt.Fprintln(out, "cvlan-tray", v.Version, v.Commit)
		return exitOK
	}
	o.out = out
	d, err := desk.New(o.socket)
	if err != nil {
		return fail(errs, err, exitInternal)
	}
	defer d.Close()
	if o.autostart != "" {
		return autostart(d, o.autostart, out, errs)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err = stand(ctx, o, d, func(line string) { fmt.Fprintln(errs, "cvlan-tray:", line) })
	return judge(ctx, errs, err)
}

// judge says how it went.
func judge(ctx context.Context, errs io.Writer, err error) int {
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, tray.ErrEnded):
		return exitOK
	case errors.Is(err, tray.ErrRunning):
		return fail(errs, err, exitConflict)
	case errors.Is(err, tray.ErrNoPlace):
		return fail(errs, fmt.Errorf("%w; "+hintPlace, err), exitNotFound)
	case errors.Is(err, tray.ErrNoSession):
		return fail(errs, fmt.Errorf("%w; start it in a desktop session, or use cvlan tui", err), exitNotFound)
	}
	return fail(errs, err, exitInternal)
}

func autostart(d *desk.Desk, what string, out, errs io.Writer) int {
	if what != "show" {
		if err := d.SetAutostart(what == "on"); err != nil {
			return fail(errs, err, exitInternal)
		}
	}
	if d.Autostart() {
		fmt.Fprintln(out, "The tray starts when you log in.")
	} else {
		fmt.Fprintln(out, "The tray does not start when you log in.")
	}
	return exitOK
}

// client returns a client of the daemon.
func client(socket string) *local.Client {
	if socket == "" {
		socket = local.DefaultSocket
	}
	return local.NewClient(socket)
}

// serve runs the tray on a panel, and says first that its icon stands: cvlan tray waits for that line.
func serve(ctx context.Context, o options, d *desk.Desk, p tray.Panel) error {
	c := client(o.socket)
	fmt.Fprintln(o.out, "The icon stands in the panel.")
	defer c.Close()
	return tray.New(tray.Config{Daemon: c, Panel: p, Desk: d}).Run(ctx)
}

// fail says what failed and why, and on a line of its own what to do.
func fail(errs io.Writer, err error, code int) int {
	what, hint, _ := strings.Cut(err.Error(), "; ")
	fmt.Fprintln(errs, "cvlan-tray:", what)
	if hint != "" {
		fmt.Fprintln(errs, "  "+hint)
	}
	return code
}
