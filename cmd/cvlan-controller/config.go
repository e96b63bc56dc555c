package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/controller"
)

func configCommand() *cobra.Command {
	return verbs.Group("config", "Check settings, back up and restore", "", checkCommand(), backupCommand(), restoreCommand())
}

func checkCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "check", Short: "Check the settings and the data folder without serving",
		Long:    "Reads settings as serve would, tells every problem at once, and looks whether the database is whole, of a version\nthat this program knows, and its audit trails as they were written. It changes nothing and may be used while the controller runs.",
		Example: "  cvlan-controller config check --data ./data\n  cvlan-controller config check --config /etc/cvlan/controller.toml",
		Args:    verbs.None,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := s.load(c.Flags()); err != nil {
				return err
			}
			report, err := controller.Check(c.Context(), s.Config)
			if err != nil {
				return verbs.Input(err)
			}
			fmt.Fprintln(c.OutOrStdout(), report)
			return nil
		},
	}
	s.flags(c.Flags())
	return c
}

func backupCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write a consistent copy of the database",
		Long:    "Writes a copy of the database to a new file, also while the controller runs. It holds the certificate authority's keys:\nkeep it as you keep the data folder.",
		Example: "  cvlan-controller config backup --data ./data backup.db\n  cvlan-controller config backup /mnt/backup/cvlan-$(date +%F).db",
		Args:    verbs.One("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := s.load(c.Flags()); err != nil {
				return err
			}
			if err := controller.Backup(c.Context(), s.Config, args[0]); err != nil {
				return verbs.Input(err)
			}
			size := int64(0)
			if i, err := os.Stat(args[0]); err == nil {
				size = i.Size()
			}
			fmt.Fprintf(c.OutOrStdout(), "backup written to %s (%d KiB)\n", args[0], size/1024)
			return nil
		},
	}
	s.flags(c.Flags())
	return c
}

func restoreCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the database",
		Long:    "Checks the backup, keeps the present database beside it, and puts the backup in its place. The controller must not be running.\nNodes notice: they get everything anew. What was changed after the backup is undone; nodes that joined after it must join again.",
		Example: "  cvlan-controller config restore --data ./data backup.db\n  cvlan-controller config restore /mnt/backup/cvlan-2026-11-23.db",
		Args:    verbs.One("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := s.load(c.Flags()); err != nil {
				return err
			}
			report, err := controller.Restore(c.Context(), s.Config, args[0])
			if err != nil {
				return verbs.Input(err)
			}
			fmt.Fprintln(c.OutOrStdout(), report)
			return nil
		},
	}
	s.flags(c.Flags())
	return c
}
