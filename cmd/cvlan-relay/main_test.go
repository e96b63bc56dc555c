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

var line = verbstest.Line{Name: "cvlan-relay", Run: run}

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(fs)
	verbstest.Reference(t, "cvlan-relay", envPrefix, defaultFile, fs)
}

func TestMistakesAreToldInOneLineWithAWayOut(t *testing.T) {
	data := filepath.Join(t.TempDir(), "relay")
	wrong := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(wrong, []byte("cvlan-join-1-AAAA"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	line.Tells(t, iox.Usage, map[string][]string{
		"see cvlan-relay serve --help": {"serve", "--dato", data},
		"\"sevre\" is no command":      {"sevre"},
	})
	line.Tells(t, iox.Invalid, map[string][]string{
		"data: is empty":                    {"serve", "--data-dir", ""},
		"want :port alone":                  {"serve", "--data-dir", data, "--listen", "192.0.2.1:8443"},
		"stun: \"3478\"":                    {"serve", "--data-dir", data, "--stun", "3478"},
		"advertise: address \"example\"":    {"serve", "--data-dir", data, "--advertise", "example"},
		"want a label":                      {"serve", "--data-dir", data, "--region", "E U"},
		"are negative":                      {"serve", "--data-dir", data, "--node-rate", "-1"},
		"cvlan admin relay create NAME":     {"serve", "--data-dir", data},
		"this is a join key":                {"serve", "--data-dir", data, "--key-file", wrong},
		"no such file":                      {"serve", "--data-dir", data, "--key-file", wrong + "x"},
		"key-file: open":                    {"config", "check", "--data-dir", data, "--key-file", wrong + "x"},
		"use the folder":                    {"config", "check", "--data-dir", wrong},
		"chmod it to 0700":                  {"config", "check", "--data-dir", open},
		"configuration file: open /nowhere": {"config", "check", "--config", "/nowhere"},
	})
	line.Tells(t, iox.NoDaemon, map[string][]string{
		"no relay runs with this folder":  {"stats", "--data-dir", data},
		"name its folder with --data-dir": {"drain", "--data-dir", data},
	})
}

func TestVersionAndHelp(t *testing.T) { line.TellsVersionAndHelp(t, "serve --key-file FILE") }

func TestEveryCommandThatIsMentionedIsThere(t *testing.T) {
	docgentest.Mentions(t, program().Root(io.Discard))
}
