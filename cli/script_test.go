package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/iox"
)

var update = flag.Bool("update", false, "write the scripts' expected output, and the reference, anew")

// noon is what the program's clock shows in scripts that fix it with: env CVLAN_TEST_NOW=$NOON
const noon = "2027-03-01T12:00:00Z"

// TestMain lets scripts run the program: the test binary, called cvlan, is it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cvlan": program, "stable": stable})
}

func program() {
	now := time.Now
	if at, err := time.Parse(time.RFC3339, os.Getenv("CVLAN_TEST_NOW")); err == nil {
		now = func() time.Time { return at }
	}
	env := &cli.Env{IO: iox.System(), Getenv: os.Getenv, Now: now, Host: hostOfScript(), Services: servicesOfScript(), AskAtMost: time.Minute}
	if os.Getenv("CVLAN_TEST_READS") != "" {
		env.IO.In = telling{os.Stdin}
	}
	os.Exit(cli.Run(cli.UntilStopped(), env, os.Args[1:]))
}

// telling says on standard error that somebody reads.
type telling struct{ io.Reader }

func (t telling) Read(b []byte) (int, error) {
	os.Stderr.WriteString("reads\n")
	return t.Reader.Read(b)
}

// TestScripts runs the manual: each script tells what a command does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		UpdateScripts: *update,
		Dir:           "testdata/script",
		Setup: func(e *testscript.Env) error {
			d, err := startDaemon(e.WorkDir)
			if err != nil {
				return err
			}
			e.Defer(d.stop)
			e.Values["daemon"], e.Values["controller"] = d, &controller{}
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "home", ".config"))
			e.Setenv("CVLAN_SOCKET", d.socket)
			e.Setenv("NOON", noon)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "types": types, "document": document, "mode": mode, "ticket": ticketMake, "forge": ticketForge,
			"daemon": daemonState, "then": daemonThen, "refuses": daemonRefuses,
			"controller": controllerStart, "joined": controllerJoined, "reports": controllerReports, "offers": controllerOffers, "grants": controllerGrants,
			"request": controllerRequest, "revokes": controllerRevokes,
		},
	})
}

// exits runs a command and checks its exit code: exits 3 cvlan status
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// types runs a command as a person at a terminal who types something, and checks its exit code: types y 0 cvlan policy edit. What it says
// goes to the files typed.out and typed.err. It runs in this process, so that files need absolute paths.
func types(ts *testscript.TestScript, _ bool, args []string) {
	var out, errs bytes.Buffer
	in, typed, err := os.Pipe() // a file, because an editor in between gets it too, and need not read
	ts.Check(err)
	defer in.Close()
	_, err = typed.WriteString(args[0] + "\n")
	ts.Check(errors.Join(err, typed.Close()))
	io := &iox.IO{In: in, Out: &out, Err: &errs, InTTY: true, OutTTY: true, ErrTTY: true}
	got := cli.Run(context.Background(), &cli.Env{IO: io, Getenv: ts.Getenv, Now: time.Now}, args[3:])
	ts.Check(os.WriteFile(ts.MkAbs("typed.out"), out.Bytes(), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("typed.err"), errs.Bytes(), 0o600))
	if want := args[1]; strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s\n%s", got, want, errs.String())
	}
}

// document runs a command, which may start with its exit code, and appends its line and what it said to the file documents, without what
// differs each time. A document of JSON has to carry the version of its schema: document cvlan admin group list --json
func document(ts *testscript.TestScript, _ bool, args []string) {
	code := []string{"0"}
	if _, err := strconv.Atoi(args[0]); err == nil {
		code, args = args[:1], args[1:]
	}
	exits(ts, false, append(code, args...))
	said := ts.ReadFile("stdout")
	if strings.Contains(strings.Join(args, " "), "--json") {
		var doc struct{ Schema int }
		if err := json.Unmarshal([]byte(said), &doc); err != nil || doc.Schema != 1 {
			ts.Fatalf("no document with \"schema\": 1: %v", err)
		}
	}
	for _, c := range changing {
		said = c.what.ReplaceAllString(said, c.to)
	}
	f, err := os.OpenFile(ts.MkAbs("documents"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString("$ " + strings.Join(args, " ") + "\n" + said)
	ts.Check(errors.Join(err, f.Close()))
}

// changing are the parts of output that differ each time.
var changing = []struct {
	what *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`\b([tvnjkcpr])[0-9a-hjkmnp-tv-z]{13}\b`), "$1-ID"},
	{regexp.MustCompile(`cvlan-join-1-[\w-]+`), "JOIN-KEY"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b`), "HASH"},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "SERIAL"},
	{regexp.MustCompile(`(?s)-----BEGIN .*?-----END CERTIFICATE-----`), "PEM"},
	{regexp.MustCompile(`\b[0-9a-z]{26}\b`), "DOMAIN"},
	{regexp.MustCompile(`"etag": "[^"]*"`), `"etag": "ETAG"`},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "PUBLIC-KEY"},
	{regexp.MustCompile(`fd[0-9a-f:]+/64`), "RANGE6"},
	{regexp.MustCompile(`10\.\d+\.0\.0/16`), "RANGE4"},
	{regexp.MustCompile(`10\.\d+\.0\.(\d+)`), "10.x.0.$1"},
	{regexp.MustCompile(`fd[0-9a-f:]+::(\d+)`), "fdxx::$1"},
	{regexp.MustCompile(`\b(now|\d+s ago)\b`), "JUST-NOW"},
	{regexp.MustCompile(`(\S)   +`), "$1  "}, // columns are as wide as what stands in them
}

// stable copies its input without what differs each time.
func stable() {
	b, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	text := string(b)
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.to)
	}
	os.Stdout.WriteString(text)
}

// mode checks a file's permissions: mode 600 office.key
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("mode %s, want %s", got, args[0])
	}
}
