// Command cvland is the node daemon: it keeps this machine in its networks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/daemon"
	"github.com/cvlan/cvlan/daemon/localapi"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/internal/sys/sched"
)

// Exit codes, the same as those of cvlan (cli/iox) for the same reasons. The daemon does without what else there is in that package.
const (
	exitOK         = 0
	exitInternal   = 1
	exitUsage      = 2
	exitPermission = 5
	exitConflict   = 10
)

// gcPercent makes the heap grow by half, not by double, between two collections. The daemon's live heap is a few megabytes and hardly
// any of it is garbage: packets run in pooled buffers. So this saves memory (the collector starts at 2 MB instead of 4) and costs
// nothing measurable. There is no memory limit of our own: a map of 200,000 peers needs what it needs, and a limit below that would
// spend the processor on collecting in vain; GOGC and GOMEMLIMIT in the environment are respected.
const gcPercent = 50

// lateness is how late the kernel may wake the daemon: none of its timers means less than some milliseconds.
const lateness = time.Millisecond

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	var s settings
	err := s.load(args, errs)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	case err != nil:
		return fail(errs, err, exitUsage)
	case s.version:
		fmt.Fprintln(out, "cvland", version.Get().Title(), version.Get().Commit)
		return exitOK
	}
	if err := privileged(); err != nil {
		return fail(errs, err, exitPermission)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	_ = sched.Batch()         // refused by a sandbox, it costs some throughput and nothing else
	_ = sched.Slack(lateness) // likewise processor time; where systemd is, the unit has it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := serve(ctx, &s, out); err != nil {
		code := exitInternal
		if errors.Is(err, disk.ErrLocked) || errors.Is(err, localapi.ErrTaken) {
			code = exitConflict
		}
		return fail(errs, err, code)
	}
	return exitOK
}

// serve is the daemon's life, or with --cleanup the short one.
func serve(ctx context.Context, s *settings, out io.Writer) error {
	if s.cleanup {
		return daemon.Cleanup(s.Config)
	}
	s.Quiet = tidy
	d, err := daemon.New(s.Config)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "cvland %s: state in %s, socket %s, %s\n", version.Get().Title(), s.State, s.Socket, d.Summary())
	return d.Run(ctx)
}

// tidy gives back what a join, a first map or a tunnel that ended has left: megabytes that an idle Go program keeps for minutes. The
// first collection only ages what lies in pools, the second frees it.
func tidy() {
	runtime.GC()
	debug.FreeOSMemory()
}

func fail(errs io.Writer, err error, code int) int {
	fmt.Fprintln(errs, "cvland:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	return code
}
