package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cli/docgen/docgentest"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cmd/internal/verbs/verbstest"
)

var line = verbstest.Line{Name: "cvlan-controller", Run: run}

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(fs)
	verbstest.Reference(t, "cvlan-controller", envPrefix, defaultFile, fs)
}

func TestMistakesAreToldInOneLineWithAWayOut(t *testing.T) {
	data := t.TempDir()
	foreign := filepath.Join(t.TempDir(), "cvlan.db")
	if err := os.WriteFile(foreign, []byte("not a database, but long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	line.Tells(t, iox.Usage, map[string][]string{
		"see cvlan-controller serve --help": {"serve", "--dato", data},
		"\"sevre\" is no command":           {"sevre"},
		"wants one FILE":                    {"config", "backup", "--data", data},
	})
	line.Tells(t, iox.Invalid, map[string][]string{
		"data: is empty":             {"serve", "--data", ""},
		"listen: \"8443\"":           {"serve", "--data", data, "--listen", "8443"},
		"http: \"9481\"":             {"serve", "--data", data, "--http", "9481"},
		"use auto, quic or tcp":      {"serve", "--data", data, "--node-transport", "udp"},
		"want host:port":             {"serve", "--data", data, "--address", "vpn.example.com"},
		"debug, info, warn or error": {"serve", "--data", data, "--log-level", "loud"},
		"there is no such file":      {"config", "check", "--data", data},
		"is not a database of ours":  {"config", "check", "--data", filepath.Dir(foreign)},
		"no such file or directory":  {"config", "restore", "--data", data, filepath.Join(data, "none")},
		"configuration file: open":   {"serve", "--config", "/nonexistent/c.toml"},
	})
}

func TestVersionAndHelp(t *testing.T) { line.TellsVersionAndHelp(t, "serve --data ./data") }

func TestEveryCommandThatIsMentionedIsThere(t *testing.T) {
	docgentest.Mentions(t, program().Root(io.Discard))
}
