package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cmd/internal/verbs/verbstest"
)

var line = verbstest.Line{Name: "cvland", Run: run}

func TestCommandLineWinsOverEnvironmentOverFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(file, []byte("state = \"file\"\nsocket = \"file\"\noperators = \"file\"\nlocal_read = \"group\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CVLAN_STATE", "env")
	t.Setenv("CVLAN_SOCKET", "env")
	var s settings
	if err := s.load([]string{"--config", file, "--state", "flag"}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if s.State != "flag" || s.Socket != "env" || s.Group != "file" || !s.ReadGroup {
		t.Fatalf("%+v", s.Config)
	}
}

func TestMistakesAreTold(t *testing.T) {
	unknown := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(unknown, []byte("stat = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	line.Tells(t, iox.Usage, map[string][]string{
		"not expected":         {"up"},
		"unknown flag":         {"--frob"},
		"no setting is called": {"--config", unknown},
		"use all or group":     {"--local-read", "some"},
		"debug, info, warn":    {"--log-level", "loud"},
		"no such file":         {"--config", "/nonexistent/c.toml"},
		"must not be empty":    {"--state", ""},
	})
}

func TestVersionAndHelp(t *testing.T) {
	if code, out, _ := line.Type("--version"); code != iox.OK || !strings.HasPrefix(out, "cvland ") {
		t.Errorf("%d %q", code, out)
	}
	if code, _, errs := line.Type("--help"); code != iox.OK || !strings.Contains(errs, "--cleanup") {
		t.Errorf("%d %q", code, errs)
	}
}

// build makes the program once a test.
func build(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cvland")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "cvland")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func TestDaemonAnswersRefusesASecondAndStops(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux")
	}
	bin := build(t)
	args := []string{"--state", filepath.Join(filepath.Dir(bin), "state"), "--socket", filepath.Join(filepath.Dir(bin), "s")}
	cmd := exec.Command(bin, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill()
	answers(t, args[3])
	second, err := exec.Command(bin, args...).CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != int(iox.Invalid) || strings.Count(string(second), "\n") != 1 || !strings.Contains(string(second), "another process") {
		t.Errorf("second daemon: %v %q", err, second)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil || !strings.HasPrefix(out.String(), "cvland ") {
			t.Fatalf("%v\n%s", err, out.String())
		}
	case <-time.After(time.Minute):
		t.Fatal("it does not stop")
	}
	if _, err := os.Stat(args[3]); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// answers waits until the daemon can be talked to.
func answers(t *testing.T, socket string) {
	t.Helper()
	c := local.NewClient(socket)
	defer c.Close()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(20 * time.Millisecond) {
		if _, err = c.Status(context.Background()); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func TestWithoutTheRightItSaysSo(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, to become somebody else")
	}
	out, err := asNobody(build(t), "--state", "/tmp/none").CombinedOutput()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != int(iox.Permission) || !strings.Contains(string(out), "sudo cvland") {
		t.Fatalf("%v %q", err, out)
	}
}
