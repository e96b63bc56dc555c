// Package verbs is what the programs with subcommands share: how a command line is read, how an error is told, and which exit code it gets.
//
// An error is one line, "PROGRAM: what failed: why; hint", on standard error; more lines are indented below it. The exit codes are those of
// cvlan, for the same reasons: [Usage] for a command line that means nothing, [Input] for what the person's input or the machine's state
// caused, what the program itself adds, and else 1, a defect or a system that fails.
package verbs

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

	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/version"
	"github.com/cvlan/cvlan/internal/sys/disk"
)

// Program is one program with subcommands.
type Program struct {
	Name, Short, Long string
	Commands          []*cobra.Command
	// Exit gives errors of this program their codes; OK for those that it does not know. It may be nil.
	Exit func(error) iox.Exit
}

// Run runs the program until it ends or is told to (ctrl-C, SIGTERM), and returns its exit code.
func (p Program) Run(args []string, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := p.Root(out)
	root.SetArgs(append([]string{}, args...)) // nil would mean the process's own
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(errs, "%s: %s\n", p.Name, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return int(p.exit(err))
}

func (p Program) exit(err error) iox.Exit {
	var usage *usageError
	var wrong *inputError
	if p.Exit != nil {
		if code := p.Exit(err); code != iox.OK {
			return code
		}
	}
	switch {
	case err == nil:
		return iox.OK
	case errors.As(err, &usage):
		return iox.Usage
	case errors.As(err, &wrong), errors.Is(err, disk.ErrLocked):
		return iox.Invalid
	}
	return iox.Internal
}

// Root is the program's tree of commands, which write to out.
func (p Program) Root(out io.Writer) *cobra.Command {
	root := Group(p.Name, p.Short, p.Long, p.Commands...)
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return misused(c, err.Error()) })
	root.AddCommand(&cobra.Command{
		Use: "version", Short: "Print which build this is", Args: None,
		Example: "  " + p.Name + " version",
		Run: func(*cobra.Command, []string) {
			v := version.Get()
			fmt.Fprintf(out, "%s %s (%s, built %s, %s)\n", p.Name, v.Title(), v.Commit, v.Built.Format("2006-01-02"), v.Go)
		},
	})
	return root
}

// Group is a command that only has others below it.
func Group(use, short, long string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: None, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(below...)
	return c
}

// usageError is a command line that means nothing; inputError what the person's input or the machine's state caused.
type (
	usageError struct{ error }
	inputError struct{ error }
)

// Input marks an error as caused by the person's input or the machine's state; nil stays nil.
func Input(err error) error {
	if err == nil {
		return nil
	}
	return &inputError{err}
}

func misused(c *cobra.Command, why string) error {
	return &usageError{fmt.Errorf("%s; see %s --help", why, c.CommandPath())}
}

// None refuses arguments; for a command with others below it, an argument is one that does not exist.
func None(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasSubCommands() {
		return misused(c, fmt.Sprintf("%s%q is no command", below(c), args[0]))
	}
	return misused(c, fmt.Sprintf("%s%q is not expected", below(c), args[0]))
}

// below names a command below its program, which the error names already; "" for the program itself.
func below(c *cobra.Command) string {
	if !c.HasParent() {
		return ""
	}
	return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ") + ": "
}

// One wants exactly one argument, which the help calls what.
func One(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return misused(c, fmt.Sprintf("%swants one %s", below(c), what))
	}
}
