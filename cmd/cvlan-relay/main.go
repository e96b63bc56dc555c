// Command cvlan-relay carries packets between nodes that have no direct path.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/sys/disk"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/session"
)

// Exit codes, the same as those of cvlan for the same reasons.
const (
	exitInternal = 1
	exitUsage    = 2
	exitAway     = 3
	exitRefused  = 4
	exitConflict = 10
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := command(out)
	root.SetArgs(append([]string{}, args...)) // nil would mean the process's own
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(errs, "cvlan-relay:", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	var usage *usageError
	var wrong *inputError
	var refused *session.Refused
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case errors.Is(err, errAway):
		return exitAway
	case errors.As(err, &wrong), errors.Is(err, disk.ErrLocked), errors.Is(err, relay.ErrNoKey):
		return exitConflict
	default:
		return exitInternal
	}
}

// usageError is a command line that means nothing; inputError what the person's input or the machine's state caused.
type (
	usageError struct{ error }
	inputError struct{ error }
)

// input marks an error as an inputError.
func input(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

func command(out io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "cvlan-relay",
		Short:         "Carries packets between nodes that have no direct path",
		Long:          "A relay of CloudVLAN: one process, one port, no other service. It carries ciphertext and cannot read it.\nStart with: cvlan-relay serve --key-file FILE",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          none,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
	})
	root.AddCommand(serveCommand(), statsCommand(), drainCommand(), configCommand(), &cobra.Command{
		Use: "version", Short: "Print which build this is", Args: none,
		Example: "  cvlan-relay version",
		Run: func(*cobra.Command, []string) {
			v := version.Get()
			fmt.Fprintf(out, "cvlan-relay %s (%s, built %s, %s)\n", v.Version, v.Commit, v.Built.Format("2006-01-02"), v.Go)
		},
	})
	return root
}

// none refuses arguments; for a command with others below it, an argument is one that does not exist.
func none(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("%s: %q is not expected; see %s --help", c.CommandPath(), args[0], c.CommandPath())}
}
