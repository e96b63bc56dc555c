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

const reference = "../../docs/reference/config/cvlan-relay.md"

func TestTheReferenceNamesEverySetting(t *testing.T) {
	var s settings
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(fs)
	var want bytes.Buffer
	conf.Reference(&want, "cvlan-relay", envPrefix, defaultFile, fs)
	if *update {
		if err := os.WriteFile(reference, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := os.ReadFile(reference); !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the program says; write it anew: go test ./cmd/cvlan-relay -update", reference)
	}
}

func TestMistakesAreToldInOneLineWithAWayOut(t *testing.T) {
	data := filepath.Join(t.TempDir(), "relay")
	wrong := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(wrong, []byte("cvlan-join-1-AAAA"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"see cvlan-relay serve --help":      {exitUsage, []string{"serve", "--dato", data}},
		"\"sevre\" is not expected":         {exitUsage, []string{"sevre"}},
		"data: is empty":                    {exitConflict, []string{"serve", "--data-dir", ""}},
		"want :port alone":                  {exitConflict, []string{"serve", "--data-dir", data, "--listen", "192.0.2.1:8443"}},
		"stun: \"3478\"":                    {exitConflict, []string{"serve", "--data-dir", data, "--stun", "3478"}},
		"advertise: address \"example\"":    {exitConflict, []string{"serve", "--data-dir", data, "--advertise", "example"}},
		"want a label":                      {exitConflict, []string{"serve", "--data-dir", data, "--region", "E U"}},
		"are negative":                      {exitConflict, []string{"serve", "--data-dir", data, "--node-rate", "-1"}},
		"cvlan admin relay create NAME":     {exitConflict, []string{"serve", "--data-dir", data}},
		"this is a join key":                {exitConflict, []string{"serve", "--data-dir", data, "--key-file", wrong}},
		"no such file":                      {exitConflict, []string{"serve", "--data-dir", data, "--key-file", wrong + "x"}},
		"no relay runs with this folder":    {exitAway, []string{"stats", "--data-dir", data}},
		"name its folder with --data-dir":   {exitAway, []string{"drain", "--data-dir", data}},
		"configuration file: open /nowhere": {exitConflict, []string{"config", "check", "--config", "/nowhere"}},
	} {
		var out, errs bytes.Buffer
		if code := run(c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), want) || !strings.HasPrefix(errs.String(), "cvlan-relay: ") {
			t.Errorf("%v: exit %d, %q; want exit %d and %q", c.args, code, errs.String(), c.code, want)
		}
	}
}

func TestVersionAndHelp(t *testing.T) {
	for _, args := range [][]string{{"version"}, nil} {
		var out, errs bytes.Buffer
		if code := run(args, &out, &errs); code != 0 || !strings.Contains(out.String(), "cvlan-relay") {
			t.Errorf("%v: %d %q", args, code, out.String())
		}
	}
}
