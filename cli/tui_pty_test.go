//go:build !windows

package cli_test

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"

	"github.com/cvlan/cvlan/api/local"
)

// screen is a program on a terminal, and what is seen there.
type screen struct {
	t       *testing.T
	cmd     *exec.Cmd
	tty     *os.File
	changed chan struct{}
	ended   chan struct{} // the terminal has no more to read

	mu  sync.Mutex
	vt  vt10x.Terminal
	raw bytes.Buffer
}

// play starts the program on a terminal.
func play(t *testing.T, columns, rows uint16, args ...string) *screen {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return run(t, columns, rows, self, append([]string{"cvlan"}, args...)...)
}

// run starts any program on a terminal.
func run(t *testing.T, columns, rows uint16, path string, args ...string) *screen {
	t.Helper()
	var err error
	s := &screen{t: t, changed: make(chan struct{}, 1), ended: make(chan struct{}), vt: vt10x.New(vt10x.WithSize(int(columns), int(rows)))}
	s.cmd = &exec.Cmd{Path: path, Args: args, Env: append(os.Environ(), "TERM=xterm-256color", "HOME="+t.TempDir(), "XDG_CONFIG_HOME=")}
	if s.tty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
		t.Skipf("no terminal can be had here: %v", err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		s.tty.Close()
		<-s.ended
	})
	go s.read()
	return s
}

func (s *screen) read() {
	defer close(s.ended)
	for b := make([]byte, 8192); ; {
		n, err := s.tty.Read(b)
		s.mu.Lock()
		s.raw.Write(b[:n])
		_, _ = s.vt.Write(b[:n])
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vt.String()
}

// written is what the program has written so far.
func (s *screen) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw.String()
}

// wait waits until something is seen.
func (s *screen) wait(want string) {
	s.t.Helper()
	late := time.After(time.Minute)
	for !strings.Contains(s.text(), want) {
		select {
		case <-s.changed:
		case <-late:
			s.t.Fatalf("%q is not seen:\n%s", want, s.text())
		}
	}
}

func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

func (s *screen) size(columns, rows uint16) {
	s.t.Helper()
	s.mu.Lock()
	s.vt.Resize(int(columns), int(rows))
	s.mu.Unlock()
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
		s.t.Fatal(err)
	}
}

func TestTheInterfaceOnARealTerminal(t *testing.T) {
	d, err := startDaemon(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			d.stop()
		}
	}()
	peer := func(id, name, addr, path string) local.Peer {
		return local.Peer{Node: local.Node{ID: id, Name: name, Addresses: []netip.Addr{netip.MustParseAddr(addr)}}, Online: true, Protocol: "wireguard", Path: path}
	}
	d.mu.Lock()
	d.now = local.Status{Schema: 1, Networks: []local.Network{{ID: "n1", Name: "office", State: local.Up, Peers: []local.Peer{
		peer("p1", "db-1", "10.77.0.3", local.PathDirect), peer("p2", "evil\x1b]0;x\x07name", "10.77.0.4", local.PathRelay)}}}}
	d.mu.Unlock()

	s := play(t, 100, 30, "tui", "--socket", d.socket)
	s.wait("2 of 2 online")
	s.wait("10.77.0.4")
	s.press("/db")
	s.wait("1 of 2")
	s.press("\rc")
	s.wait("Copied 10.77.0.3")
	s.size(1, 1)
	s.size(60, 20)
	s.wait("Copied 10.77.0.3")
	s.press("\x1b[B?")
	s.wait("Everywhere")
	s.press("x2") // any key leaves the help
	s.wait("office  up")
	s.press("\x1b[<0;5;2M\x1b[<0;5;2m") // a click on the first tab
	s.wait("10.77.0.3")
	s.press("2")
	s.wait("the daemon that runs is") // of another version, as doctor finds
	d.stop()
	stopped = true
	s.wait("The daemon does not answer")
	s.press("q")
	<-s.ended
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	for what, seq := range map[string]string{"leaves the other screen": "\x1b[?1049l", "shows the cursor": "\x1b[?25h", "copies by OSC 52": "\x1b]52;c;MTAuNzcuMC4z"} {
		if !strings.Contains(s.written(), seq) {
			t.Errorf("nothing %s", what)
		}
	}
	if strings.Contains(s.written(), "\x1b]0;x\x07") {
		t.Error("a peer's name reached the terminal as it is")
	}
}

func TestWithoutColourAndWithoutADaemon(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	s := play(t, 60, 20, "tui", "--socket", t.TempDir()+"/none")
	s.wait("does not answer")
	s.wait("the daemon cvland ") // does not run, or is not installed
	s.press("\x03")
	<-s.ended
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if strings.Contains(s.written(), "\x1b[38;") {
		t.Error("there is colour")
	}
}
