package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/icon"
	"github.com/cvlan/cvlan/tray/menu"
	"github.com/cvlan/cvlan/tray/traytest"
)

// asProgram makes this test's program the tray: a story starts it as a process of its own.
const asProgram = "CVLAN_TRAY_STORY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// program is a tray that runs.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	said bytes.Buffer
	done chan struct{}
}

// start starts the tray in a session, with a home of its own.
func start(t *testing.T, bus, home string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(os.Args[0], args...), done: make(chan struct{})}
	p.cmd.Env = []string{asProgram + "=1", "DBUS_SESSION_BUS_ADDRESS=" + bus, "HOME=" + home, "PATH=" + filepath.Join(home, "bin") + ":/bin:/usr/bin", "WAYLAND_DISPLAY=wayland-0"}
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.done); _ = p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.done })
	return p
}

// ends waits for the program's end, with an exit code.
func (p *program) ends(code int) string {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		p.t.Fatal("the program does not end")
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("exit code %d, not %d; it said: %s", got, code, p.said.String())
	}
	return p.said.String()
}

func daemon(t *testing.T, networks ...local.Network) *traytest.Daemon {
	t.Helper()
	d, err := traytest.NewDaemon()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	d.Show(networks...)
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	return d
}

func session(t *testing.T) *traytest.Desktop {
	t.Helper()
	d := traytest.New(t)
	d.Watcher(true)
	d.Notifications(true)
	return d
}

func TestEveryEntryDoesItsWork(t *testing.T) {
	desktop, home := session(t), t.TempDir()
	lab := traytest.Network("lab", 1)
	lab.State = local.Down
	d := daemon(t, traytest.Network("office", 4), lab)
	tools(t, home)
	p := start(t, desktop.Address, home, "--socket", d.Socket)
	i := desktop.Icon()
	i.Await("1 of 2 networks on")
	asked := func(want string) {
		t.Helper()
		desktop.Until("the daemon is asked "+want, func() bool { return slices.Contains(d.Asked(), want) })
	}
	i.Click("lab")
	asked(`up {"network":"n-lab"}`)
	i.Await("2 of 2 networks on")
	i.Click("office")
	asked(`down {"network":"n-office"}`)
	i.Await("1 of 2 networks on")
	i.Click("office only")
	asked(`up {"network":"n-office"}`)
	asked(`down {"network":"n-lab"}`)
	desktop.Until("office alone is on", func() bool { return i.Await("office").Marked && !i.Await("lab").Marked })
	i.Click("Connect all")
	asked(`up {}`)
	i.Await("2 of 2 networks on")
	for _, label := range []string{"My address in office", "● build"} {
		i.Click(label)
		if n := desktop.Note(); n.Title != "Copied" {
			t.Errorf("%s: %+v", label, n)
		}
	}
	i.Click("Open in a terminal")
	desktop.Until("a terminal opens", func() bool {
		b, _ := os.ReadFile(filepath.Join(home, "called"))
		return strings.Contains(string(b), "tui --socket "+d.Socket)
	})
	i.Click("Start at login")
	desktop.Until("it is marked", func() bool { return i.Await("Start at login").Marked })
	if _, err := os.Stat(filepath.Join(home, ".config/autostart/cvlan-tray.desktop")); err != nil {
		t.Error(err)
	}
	i.Click("Disconnect all")
	asked(`down {}`)
	i.Await("0 of 2 networks on")
	desktop.Until("the icon says off", func() bool {
		return slices.Equal(i.Pixmaps()[22], icon.ARGB(icon.Draw(menu.Off, 22)))
	})
	i.Click("Quit")
	if said := p.ends(exitOK); said != "The icon stands in the panel.\n" {
		t.Error(said)
	}
}

// tools puts programs into a home that write down how they were called: a terminal, cvlan, and one that copies.
func tools(t *testing.T, home string) {
	t.Helper()
	bin := filepath.Join(home, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{"xdg-terminal-exec": "echo \"$@\" > " + home + "/called", "cvlan": "true", "wl-copy": "cat > " + home + "/copied"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheDaemonIsKilledAndComesBack(t *testing.T) {
	desktop, d := session(t), daemon(t, traytest.Network("office", 4))
	start(t, desktop.Address, t.TempDir(), "--socket", d.Socket)
	i := desktop.Icon()
	i.Await("office: connected")
	d.Stop()
	i.Await("The daemon does not answer")
	i.Await("start it: ")
	d.Show(traytest.Network("office", 2))
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	i.Await("office: connected, 2 peers")
}

func TestAHostileNameReachesNoMenuAndNoMessage(t *testing.T) {
	desktop := session(t)
	n := traytest.Network("office", 3)
	n.Peers[0].Name = "a\x1b[2J\u202e\x00_<b>" + strings.Repeat("z", 5000)
	n.Name = "x\ny\x07&"
	d := daemon(t, n)
	start(t, desktop.Address, t.TempDir(), "--socket", d.Socket)
	i := desktop.Icon()
	i.Await("x\ufffdy\ufffd&: connected")
	for _, e := range i.Menu() {
		if strings.ContainsAny(e.Label, "\x00\x1b\n\u202e") || len(e.Label) > 400 {
			t.Errorf("%.100q", e.Label)
		}
	}
	d.Refuse(local.PostDown.Path, local.CodePermission.Problem("a\x1b]0;x\x07<i>", "\u202e", "use sudo"))
	i.Click("Disconnect")
	if m := desktop.Note(); strings.ContainsAny(m.Title+m.Text, "\x1b\x07\u202e") || m.Text != "use sudo" {
		t.Errorf("%+v", m)
	}
}

func TestTheEndsAndTheirCodes(t *testing.T) {
	home := t.TempDir()
	desktop := traytest.New(t)
	if said := start(t, desktop.Address, home, "--wait", "100ms").ends(exitNotFound); !strings.Contains(said, "no place for icons") || !strings.Contains(said, "AppIndicator") {
		t.Error("without a panel:", said)
	}
	if said := start(t, "", home).ends(exitNotFound); !strings.Contains(said, "no desktop session") {
		t.Error("without a session:", said)
	}
	if said := start(t, "", home, "--frobnicate").ends(exitUsage); !strings.Contains(said, "frobnicate") {
		t.Error("a flag that is none:", said)
	}
	desktop.Watcher(true)
	first := start(t, desktop.Address, home, "--socket", "/nonexistent")
	desktop.Icon()
	if said := start(t, desktop.Address, home).ends(exitConflict); !strings.Contains(said, "runs already") {
		t.Error("a second one:", said)
	}
	_ = first.cmd.Process.Signal(syscall.SIGTERM)
	first.ends(exitOK)
	third := start(t, desktop.Address, home, "--socket", "/nonexistent")
	desktop.Icon()
	desktop.Kill()
	third.ends(exitOK)
}

func TestAutostartFromTheCommandLine(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct{ arg, says string }{{"show", "does not start"}, {"on", "starts when"}, {"show", "starts when"}, {"off", "does not start"}} {
		if said := start(t, "", home, "--autostart", c.arg).ends(exitOK); !strings.Contains(said, c.says) {
			t.Errorf("%s: %s", c.arg, said)
		}
	}
	start(t, "", home, "--autostart", "perhaps").ends(exitUsage)
}
