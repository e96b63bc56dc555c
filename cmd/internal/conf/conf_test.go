package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func flags() *pflag.FlagSet {
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	fs.String(FileFlag, "", "file")
	fs.String("data", "here", "folder")
	fs.Int("max-nodes", 5, "bound")
	fs.StringSlice("address", nil, "where")
	fs.Bool("log-json", false, "form")
	return fs
}

func write(t *testing.T, text string) string {
	p := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheCommandLineWinsOverTheEnvironmentOverTheFile(t *testing.T) {
	p := write(t, "data = \"file\"\nmax_nodes = 7\naddress = [\"a:1\", \"b:2\"]\nlog_json = true\n")
	t.Setenv("X_MAX_NODES", "8")
	t.Setenv("X_DATA", "env")
	fs := flags()
	if err := fs.Parse([]string{"--data", "line", "--config", p}); err != nil {
		t.Fatal(err)
	}
	if err := Apply(fs, "X", ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"data": "line", "max-nodes": "8", "address": "[a:1,b:2]", "log-json": "true"} {
		if got := fs.Lookup(name).Value.String(); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	p := write(t, "dato = 1\nmax_nodes = \"many\"\ndata = [\"x\"]\n")
	t.Setenv("X_LOG_JSON", "perhaps")
	fs := flags()
	fs.Set(FileFlag, p)
	err := Apply(fs, "X", "")
	for _, want := range []string{"X_LOG_JSON", `"dato"`, "log_json, max_nodes", `max_nodes: "many" is no int`, "data: wants one value"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %q in it", err, want)
		}
	}
	for _, bad := range []string{write(t, "data = \n"), filepath.Join(t.TempDir(), "none")} {
		fs := flags()
		fs.Set(FileFlag, bad)
		if err := Apply(fs, "Y", ""); err == nil || !strings.Contains(err.Error(), "configuration file") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := Apply(flags(), "Y", filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error("the fallback need not exist:", err)
	}
}
