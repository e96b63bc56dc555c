package cli_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/iox"
)

// ownForm are the commands whose output has a form of its own already, or none.
var ownForm = []string{"cvlan admin export", "cvlan help", "cvlan completion", "cvlan metrics", "cvlan policy fmt", "cvlan tray", "cvlan tui"}

// shows are the verbs that show things with names.
var shows = []string{"list", "show", "status", "history", "whoami", "whois", "peers", "ip", "sas"}

// leaves yields every command that does something.
func leaves(t *testing.T) (all []*cobra.Command) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Deprecated != "" {
			t.Errorf("%s is hidden: what there is is shown", c.CommandPath())
		}
		if !c.HasSubCommands() || c.Flags().Lookup("json") != nil {
			all = append(all, c)
		}
		for _, below := range c.Commands() {
			walk(below)
		}
	}
	walk(cli.New(&cli.Env{IO: &iox.IO{}, Getenv: func(string) string { return "" }, Now: time.Now}))
	return all
}

// TestEveryCommandServesScripts asks of each command that it has --json and that a script shows what comes of it; of those that show
// things with names -q too.
func TestEveryCommandServesScripts(t *testing.T) {
	manual := ""
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		manual += string(b)
	}
	shown := func(path, flag string) bool {
		return regexp.MustCompile(`(?m)^(exec|exits|document|stdin) .*` + path + `\b.* (` + flag + `)\b`).MatchString(manual)
	}
	for _, c := range leaves(t) {
		path := strings.Replace(c.CommandPath(), "admin policy", "policy", 1) // they are the same
		if slices.Contains(ownForm, path) {
			continue
		}
		if c.Flags().Lookup("json") == nil {
			t.Errorf("%s has no --json", path)
		} else if !shown(path, "--json") {
			t.Errorf("no script shows %s --json", path)
		}
		if !slices.Contains(shows, c.Name()) {
			continue
		}
		if c.Flags().Lookup("quiet") == nil {
			t.Errorf("%s has no -q", path)
		} else if !shown(path, "-q|--quiet") {
			t.Errorf("no script shows %s -q", path)
		}
	}
}
