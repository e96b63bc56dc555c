package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTheTerminalIsLeftAsItWas ends the interface in every way that a terminal and a system know.
func TestTheTerminalIsLeftAsItWas(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*screen)
		code int
	}{
		"a key":   {func(s *screen) { s.press("q") }, 0},
		"ctrl-C":  {func(s *screen) { s.press("\x03") }, 0},
		"SIGINT":  {func(s *screen) { _ = s.cmd.Process.Signal(syscall.SIGINT) }, 130},
		"SIGTERM": {func(s *screen) { _ = s.cmd.Process.Signal(syscall.SIGTERM) }, 143},
		"SIGHUP":  {func(s *screen) { _ = s.cmd.Process.Signal(syscall.SIGHUP) }, 143},
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, 80, 24, "tui", "--socket", t.TempDir()+"/none")
			s.wait("does not answer")
			slave := s.modes()
			c.end(s)
			s.ends(c.code)
			if now := s.modes(); slave.Lflag&unix.ICANON != 0 || now.Lflag&unix.ICANON == 0 || now.Lflag&unix.ECHO == 0 {
				t.Errorf("lines were edited before: %v, are now: %v, are echoed: %v", slave.Lflag&unix.ICANON, now.Lflag&unix.ICANON, now.Lflag&unix.ECHO)
			}
			s.restored()
		})
	}
}

func TestTheInterfaceEndsWithItsTerminal(t *testing.T) {
	s := play(t, 80, 24, "tui", "--socket", t.TempDir()+"/none")
	s.wait("does not answer")
	s.tty.Close()
	s.ends(143)
}

// TestAShellStopsAndGoesOn stops the interface twice and has it go on.
func TestAShellStopsAndGoesOn(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no shell with job control is here")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cvlan := filepath.Join(t.TempDir(), "cvlan")
	if err := os.Symlink(self, cvlan); err != nil {
		t.Fatal(err)
	}
	s := run(t, 80, 24, shell, "bash", "--norc", "--noprofile", "-i")
	s.press("PS1='go''-on>'\r")
	s.wait("go-on>")
	s.answer(cvlan+" tui --socket /none/s\r", "It is tried again")
	for range 2 {
		s.answer("\x1a", "\x1b[?1049l", "Stopped", "go-on>")
		s.answer("fg\r", "\x1b[?1049h", "It is tried again")
	}
	s.answer("q", "\x1b[?1049l", "go-on>")
	s.press("exit 7\r")
	s.ends(7)
}

// answer presses keys and waits until the program has answered with each of these texts, in this order.
func (s *screen) answer(keys string, answers ...string) {
	s.t.Helper()
	at := len(s.written())
	s.press(keys)
	late := time.After(time.Minute)
	for _, text := range answers {
		for {
			if i := strings.Index(s.written()[at:], text); i >= 0 {
				at += i + len(text)
				break
			}
			select {
			case <-s.changed:
			case <-late:
				s.t.Fatalf("%q does not come after %q:\n%s", text, keys, s.text())
			}
		}
	}
}

// TestNobodyStopsWhatNobodyCouldHaveGoOn presses ctrl-Z where the interface is all there is on the terminal.
func TestNobodyStopsWhatNobodyCouldHaveGoOn(t *testing.T) {
	s := play(t, 80, 24, "tui", "--socket", t.TempDir()+"/none")
	s.wait("does not answer")
	s.press("\x1a")
	s.wait("No shell is there")
	_ = s.cmd.Process.Signal(syscall.SIGTSTP)
	s.press("?")
	s.wait("Everywhere")
	s.press("?q")
	s.ends(0)
}

// ends waits until the program has ended, with this code.
func (s *screen) ends(code int) {
	s.t.Helper()
	late := time.AfterFunc(time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	<-s.ended
	_ = s.cmd.Wait()
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("it ended with %d, want %d", got, code)
	}
}

// modes are how the terminal takes input now.
func (s *screen) modes() unix.Termios {
	s.t.Helper()
	m, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		s.t.Fatal(err)
	}
	return *m
}

// restored checks that whatever was switched on at the terminal is off again.
func (s *screen) restored() {
	s.t.Helper()
	raw := s.written()
	for what, mode := range map[string]string{"the other screen": "1049", "mouse": "1002", "mouse places": "1006", "pasting": "2004"} {
		if on, off := strings.LastIndex(raw, "\x1b[?"+mode+"h"), strings.LastIndex(raw, "\x1b[?"+mode+"l"); on < 0 || off < on {
			s.t.Errorf("%s: on at %d, off at %d", what, on, off)
		}
	}
	if strings.LastIndex(raw, "\x1b[?25h") < strings.LastIndex(raw, "\x1b[?25l") {
		s.t.Error("the cursor is hidden")
	}
}
