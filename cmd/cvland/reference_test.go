package main

import (
	"testing"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli/docgen/docgentest"
	"github.com/cvlan/cvlan/cmd/internal/verbs/verbstest"
)

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	all, _ := s.flags()
	verbstest.Reference(t, "cvland", envPrefix, defaultFile, all)
}

func TestEveryFlagThatIsMentionedIsThere(t *testing.T) {
	var s settings
	all, line := s.flags()
	c := &cobra.Command{Use: "cvland"}
	c.Flags().AddFlagSet(all)
	c.Flags().AddFlagSet(line)
	docgentest.Mentions(t, c)
}
