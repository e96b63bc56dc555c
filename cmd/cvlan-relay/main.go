// Command cvlan-relay carries packets between nodes that have no direct path.
package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/session"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int { return program().Run(args, out, errs) }

func program() verbs.Program {
	return verbs.Program{
		Name:     "cvlan-relay",
		Short:    "Carries packets between nodes that have no direct path",
		Long:     "A relay of CloudVLAN: one process, one port, no other service. It carries ciphertext and cannot read it.\nStart with: cvlan-relay serve --key-file FILE",
		Commands: []*cobra.Command{serveCommand(), statsCommand(), drainCommand(), configCommand()},
		Exit:     exit,
	}
}

func exit(err error) iox.Exit {
	var refused *session.Refused
	switch {
	case errors.As(err, &refused):
		return iox.NeedsLogin
	case errors.Is(err, errAway):
		return iox.NoDaemon
	case errors.Is(err, relay.ErrNoKey):
		return iox.Invalid
	}
	return iox.OK
}
