package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/cmd/internal/conf"
)

var update = flag.Bool("update", false, "write the reference of settings anew")

const reference = "../../docs/reference/config/cvlan-controller.md"

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(fs)
	var want bytes.Buffer
	conf.Reference(&want, "cvlan-controller", envPrefix, defaultFile, fs)
	if *update {
		if err := os.WriteFile(reference, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(reference); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the program says; write it anew: go test ./cmd/cvlan-controller -update", reference)
	}
}

// try runs the program and returns its exit code and what it wrote.
func try(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = run(args, &o, &e)
	return code, o.String(), e.String()
}

func TestMistakesAreToldInOneLineWithAWayOut(t *testing.T) {
	data := t.TempDir()
	foreign := filepath.Join(t.TempDir(), "cvlan.db")
	if err := os.WriteFile(foreign, []byte("not a database, but long enough to be looked at"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"see cvlan-controller serve --help": {exitUsage, []string{"serve", "--dato", data}},
		"\"sevre\" is not expected":         {exitUsage, []string{"sevre"}},
		"data: is empty":                    {exitConflict, []string{"serve", "--data", ""}},
		"listen: \"8443\"":                  {exitConflict, []string{"serve", "--data", data, "--listen", "8443"}},
		"use auto, quic or tcp":             {exitConflict, []string{"serve", "--data", data, "--node-transport", "udp"}},
		"want host:port":                    {exitConflict, []string{"serve", "--data", data, "--address", "vpn.example.com"}},
		"debug, info, warn or error":        {exitConflict, []string{"serve", "--data", data, "--log-level", "loud"}},
		"there is no such file":             {exitConflict, []string{"config", "check", "--data", data}},
		"is not a database of ours":         {exitConflict, []string{"config", "check", "--data", filepath.Dir(foreign)}},
		"wants one FILE":                    {exitUsage, []string{"config", "backup", "--data", data}},
		"no such file or directory":         {exitConflict, []string{"config", "restore", "--data", data, filepath.Join(data, "none")}},
		"configuration file: open":          {exitConflict, []string{"serve", "--config", "/nonexistent/c.toml"}},
	} {
		code, _, errs := try(c.args...)
		if code != c.code || !strings.Contains(errs, want) || !strings.HasPrefix(errs, "cvlan-controller: ") {
			t.Errorf("%v: exit %d, %q; want exit %d and %q", c.args, code, errs, c.code, want)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	if code, out, _ := try("version"); code != 0 || !strings.HasPrefix(out, "cvlan-controller ") {
		t.Errorf("%d %q", code, out)
	}
	if code, out, _ := try(); code != 0 || !strings.Contains(out, "serve --data ./data") {
		t.Errorf("%d %q", code, out)
	}
}
