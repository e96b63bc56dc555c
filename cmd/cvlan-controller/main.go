// Command cvlan-controller admits machines to networks and tells each what it may see.
package main

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/controller/store"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int { return program().Run(args, out, errs) }

func program() verbs.Program {
	return verbs.Program{
		Name:     "cvlan-controller",
		Short:    "Admits machines to networks and tells each what it may see",
		Long:     "The controller of CloudVLAN: one process, one folder, no other service.\nStart with: cvlan-controller serve --data ./data",
		Commands: []*cobra.Command{serveCommand(), configCommand()},
		Exit:     exit,
	}
}

func exit(err error) iox.Exit {
	if errors.Is(err, store.ErrNewer) {
		return iox.Skew
	}
	return iox.OK
}
