package svc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// manager is one that notes what it is asked, and answers show with what is set.
func manager(t *testing.T) (m *Manager, asked func() string, show *string) {
	var calls []string
	show = new(string)
	m = &Manager{Dir: t.TempDir(), Run: func(_ context.Context, args ...string) (string, error) {
		calls = append(calls, args[0])
		if args[0] == "show" {
			return *show, nil
		}
		return "", nil
	}}
	return m, func() string {
		s := strings.Join(calls, " ")
		calls = nil
		return s
	}, show
}

func TestInstallAndUninstall(t *testing.T) {
	m, asked, show := manager(t)
	if err := m.Install(t.Context(), "/usr/sbin/cvland"); err != nil {
		t.Fatal(err)
	}
	if got := asked(); got != "daemon-reload enable" {
		t.Errorf("asked %s", got)
	}
	if err := m.Install(t.Context(), "/usr/sbin/cvland"); err != nil || asked() != "enable" {
		t.Errorf("the same again: %v", err)
	}
	if err := m.Install(t.Context(), "/opt/cvlan/cvland"); err != nil || asked() != "daemon-reload enable try-restart" {
		t.Errorf("another program: %v", err)
	}
	*show = "LoadState=loaded\nFragmentPath=" + m.path() + "\nUnitFileState=enabled\nActiveState=active\nActiveEnterTimestamp=@1800000000\nMainPID=7\n"
	if s, err := m.State(t.Context()); err != nil || !s.Ours || !s.Enabled || s.Active != "active" || s.PID != "7" || s.Since.Unix() != 1800000000 {
		t.Errorf("%+v, %v", s, err)
	}
	asked()
	if err := m.Uninstall(t.Context()); err != nil || asked() != "disable daemon-reload" {
		t.Errorf("uninstall: %v", err)
	}
	if err := m.Uninstall(t.Context()); err != nil || asked() != "" {
		t.Errorf("uninstall what is not there: %v", err)
	}
	*show = "LoadState=not-found\n"
	if s, err := m.State(t.Context()); err != nil || s != (State{}) {
		t.Errorf("%+v, %v", s, err)
	}
	if left, _ := os.ReadDir(m.Dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestAUnitOfSomebodyElseStays(t *testing.T) {
	m, asked, _ := manager(t)
	if err := os.WriteFile(m.path(), []byte("[Service]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := m.Install(t.Context(), "/x"); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if err := m.Uninstall(t.Context()); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if got, _ := os.ReadFile(m.path()); string(got) != "[Service]\n" || asked() != "" {
		t.Error("it was touched")
	}
}

func TestAPathIsQuotedAsSystemdReadsIt(t *testing.T) {
	for path, want := range map[string]string{"/usr/sbin/cvland": "ExecStart=/usr/sbin/cvland\n", "/a b/50%$x": "ExecStart=\"/a b/50%%$$x\"\n"} {
		if !strings.Contains(Unit(path), want) {
			t.Errorf("%s: no %q", path, want)
		}
	}
	for _, path := range []string{"/usr/sbin/cvland", "/a b/50%$x", `/a "b" \c/d`, "/100%%/$$"} {
		if got := programOf(mark + Unit(path)); got != path {
			t.Errorf("%s is read as %s", path, got)
		}
	}
}

// Who takes the service away while its daemon is dead is not left with what that had no time to take back.
func TestUninstallCleansUpAfterAKilledDaemon(t *testing.T) {
	m, asked, _ := manager(t)
	var cleaned []string
	m.Cleanup = func(_ context.Context, program string) error {
		cleaned = append(cleaned, program+" after "+asked())
		return nil
	}
	program := filepath.Join(t.TempDir(), "cvland")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Install(t.Context(), program); err != nil {
		t.Fatal(err)
	}
	asked()
	if err := m.Uninstall(t.Context()); err != nil || !slices.Equal(cleaned, []string{program + " after disable daemon-reload"}) {
		t.Errorf("%v, %q", err, cleaned)
	}
	if err := m.Install(t.Context(), program+"-gone"); err != nil {
		t.Fatal(err)
	}
	if err := m.Uninstall(t.Context()); err != nil || len(cleaned) != 1 {
		t.Errorf("a program that is gone: %v, %q", err, cleaned)
	}
}

// TestSystemdAcceptsTheUnit has systemd's own tools look at it, where there are any.
func TestSystemdAcceptsTheUnit(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	path := filepath.Join(t.TempDir(), "cvland.service")
	if err := os.WriteFile(path, []byte(Unit("/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tool, "verify", "--man=no", path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "cvland.service") {
			t.Errorf("%s", line)
		}
	}
	if err != nil && strings.Contains(string(out), "cvland.service") {
		t.Error(err)
	}
}

func TestAProgramInAHomeIsHiddenFromTheService(t *testing.T) {
	for program, want := range map[string]bool{
		"/home/ann/cvlan/bin/cvland": true, "/root/bin/cvland": true, "/run/user/1000/cvland": true,
		"/usr/sbin/cvland": false, "/opt/home/cvland": false, "/homes/cvland": false,
	} {
		if Hidden(program) != want {
			t.Errorf("%s: hidden is %v", program, !want)
		}
	}
}
