package lab_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"golang.org/x/sys/unix"
)

// sleeper is how the tests recognize a program that was left behind.
const sleeper = "54321"

func TestMainTellsTheErrorAndTheExitCode(t *testing.T) {
	lab.New(t)
	for part, want := range map[string]struct {
		code int
		text string
	}{
		"main-ok":    {0, "a says 203.0.113.1\n"},
		"main-error": {1, "lab: it went wrong\n"},
		"main-twice": {1, "lab: make a public host: two hosts cannot both be called \"a\"\n"},
	} {
		out, err := program(part).CombinedOutput()
		if got := code(err); got != want.code || string(out) != want.text {
			t.Errorf("%s: exit code %d with %q, want %d with %q", part, got, out, want.code, want.text)
		}
	}
}

func TestMainSaysWhatTheMachineForbids(t *testing.T) {
	lab.New(t)
	out, err := forbidden(program("main-ok")).CombinedOutput()
	if code(err) != lab.ExitUnavailable || !strings.HasPrefix(string(out), "lab: no laboratory on this machine: cannot make") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("exit code %d with %q, want %d and one line with the reason", code(err), out, lab.ExitUnavailable)
	}
}

func TestTestsSkipWithTheReasonWhereTheMachineForbids(t *testing.T) {
	lab.New(t)
	c := exec.Command(os.Args[0], "-test.v", "-test.run=^TestHelper$")
	c.Env = append(outside(), "LAB_TEST_HELPER=fail")
	out, err := forbidden(c).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- SKIP: TestHelper") || !strings.Contains(string(out), "cannot make") {
		t.Errorf("%v\n%s", err, out)
	}
}

// forbidden changes a command so that it may not make network namespaces: inside a user namespace of its own a
// program may lower that limit for itself.
func forbidden(c *exec.Cmd) *exec.Cmd {
	c.Args = append([]string{"sh", "-c", `echo 0 >/proc/sys/user/max_net_namespaces && exec "$0" "$@"`, c.Path}, c.Args[1:]...)
	c.Path = "/bin/sh"
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	return c
}

func TestKilledLaboratoryLeavesNothingBehind(t *testing.T) {
	lab.New(t)
	for _, s := range []os.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGINT} {
		c := program("main-keep")
		_, words := start(t, c)
		waitFor(t, words, "To end:")
		if len(find(sleeper)) != 1 {
			t.Fatalf("the laboratory's program does not run: %v", find(sleeper))
		}
		c.Process.Signal(s)
		err := c.Wait()
		if s != unix.SIGKILL && err != nil {
			t.Errorf("%v: %v", s, err)
		}
		eventually(t, func() bool { return len(find(sleeper)) == 0 }, "a program outlives its laboratory")
	}
}

func TestEndedTestLeavesNothingBehind(t *testing.T) {
	t.Run("story", func(t *testing.T) {
		a := lab.New(t).Public("a")
		// The shell ends at once; its child belongs to nobody.
		if _, err := a.Run(t.Context(), "sh", "-c", "sleep "+sleeper+" >/dev/null 2>&1 &"); err != nil {
			t.Fatal(err)
		}
		if len(find(sleeper)) != 1 {
			t.Fatalf("the orphan does not run")
		}
	})
	if left := find(sleeper); len(left) != 0 {
		t.Errorf("processes %v are left", left)
	}
	if left, _ := filepath.Glob("/run/lab/lab-*"); len(left) != 0 {
		t.Errorf("folders %v are left", left)
	}
	if left, _ := filepath.Glob("/run/netns/*"); len(left) != 0 {
		t.Errorf("names %v are left", left)
	}
}

func TestKeptLaboratoryCanBeEntered(t *testing.T) {
	lab.New(t)
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		t.Skip("nsenter is not installed")
	}
	c := program("main-keep")
	_, words := start(t, c)
	text := waitFor(t, words, "To end:")
	var args []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 3 && f[0] == "a" {
			args = f[3:]
		}
	}
	out, err := exec.Command(nsenter, append(args, "hostname")...).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "a" {
		t.Errorf("nsenter %v after %q: %q, %v", args, text, out, err)
	}
	c.Process.Signal(unix.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// TestTestBinaryRunsInsideAndTellsTheResult starts this test binary again, as go test does.
func TestTestBinaryRunsInsideAndTellsTheResult(t *testing.T) {
	lab.New(t)
	for _, c := range []struct {
		mode, text string
		flags      []string
		code       int
	}{
		{"pass", "--- PASS: TestHelper", []string{"-test.v"}, 0},
		{"fail", "--- FAIL: TestHelper", nil, 1},
		{"hang", "panic: test timed out after 200ms", []string{"-test.timeout=200ms"}, 2},
		{"exit", "", nil, 7},
	} {
		cmd := exec.Command(os.Args[0], append(c.flags, "-test.run=^TestHelper$")...)
		cmd.Env = append(outside(), "LAB_TEST_HELPER="+c.mode)
		out, err := cmd.CombinedOutput()
		if code(err) != c.code || !strings.Contains(string(out), c.text) {
			t.Errorf("%s: exit code %d with\n%s\nwant %d with %q", c.mode, code(err), out, c.code, c.text)
		}
	}
}

// TestHelper is the test that TestTestBinaryRunsInsideAndTellsTheResult runs.
func TestHelper(t *testing.T) {
	mode := os.Getenv("LAB_TEST_HELPER")
	if mode == "" {
		t.Skip("played only for another test")
	}
	a := lab.New(t).Public("a")
	switch mode {
	case "fail":
		t.Error("as asked")
	case "hang":
		a.Start("sleep", sleeper)
		select {}
	case "exit":
		os.Exit(7)
	}
}

// play is what this binary does as a program of its own.
func play(part string) int {
	switch part {
	case "name":
		return tellName()
	case "main-ok":
		return lab.Main(func(ctx context.Context, l *lab.Lab) error {
			a := l.Public("a")
			fmt.Println(a.Name(), "says", a.Addr())
			return nil
		})
	case "main-error":
		return lab.Main(func(context.Context, *lab.Lab) error { return errors.New("it went wrong") })
	case "main-twice":
		return lab.Main(func(ctx context.Context, l *lab.Lab) error { l.Public("a"); l.Public("a"); return nil })
	case "main-list":
		return lab.Main(func(ctx context.Context, l *lab.Lab) error {
			out, err := l.Public("a").Run(ctx, "sh", "-c", "cd /var/lib && echo cvlan*")
			fmt.Print(out)
			return err
		})
	case "main-keep":
		return lab.Main(func(ctx context.Context, l *lab.Lab) error {
			l.Public("a").Start("sleep", sleeper)
			return l.Keep(ctx, os.Stdout)
		})
	}
	fmt.Fprintln(os.Stderr, "no such part:", part)
	return 2
}

// program is this binary as another program, outside of this sandbox.
func program(part string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(outside(), "LAB_TEST_PART="+part)
	return c
}

func outside() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "CVLAN_LAB_") {
			env = append(env, e)
		}
	}
	return env
}

func start(t *testing.T, c *exec.Cmd) (*exec.Cmd, io.Reader) {
	t.Helper()
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	return c, out
}

// waitFor reads lines up to one with text.
func waitFor(t *testing.T, r io.Reader, text string) string {
	t.Helper()
	var all strings.Builder
	for s := bufio.NewScanner(r); s.Scan(); {
		all.WriteString(s.Text() + "\n")
		if strings.Contains(s.Text(), text) {
			return all.String()
		}
	}
	t.Fatalf("ended without %q:\n%s", text, all.String())
	return ""
}

// find lists living processes with an argument.
func find(argument string) []int {
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		args := strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
		if len(args) == 2 && args[1] == argument {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// eventually polls what nothing reports.
func eventually(t *testing.T, ok func() bool, otherwise string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal(otherwise)
}

func code(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}
