//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

// process is the program, run for itself in a folder of its own, with a daemon and a controller that take every call and answer none.
type process struct {
	*exec.Cmd
	errs bytes.Buffer
	work string
}

// start runs a command line of a folder in which join.key is; more is added to its environment.
func start(t *testing.T, line, socket string, more ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{Cmd: exec.CommandContext(ctx, self, strings.Fields(line)...), work: t.TempDir()}
	p.Args[0] = "cvlan"
	p.Dir, p.Stderr = p.work, &p.errs
	p.Env = append(append(os.Environ(), "CVLAN_SOCKET="+socket, "HOME="+p.work, "XDG_CONFIG_HOME="), more...)
	return p
}

// leaves reports what a process that was stopped has left: its code, what it said, its files.
func (p *process) leaves(t *testing.T, s os.Signal, want int, files ...string) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // the code says how it ended
	if got := p.ProcessState.ExitCode(); got != want {
		t.Errorf("%v: exit code %d, want %d\n%s", s, got, want, &p.errs)
	}
	if strings.ContainsAny(p.errs.String(), "\x1b\r") || strings.Contains(p.errs.String(), "cvlan:") || strings.Contains(p.errs.String(), "goroutine") {
		t.Errorf("%v: it said %q", s, p.errs.String())
	}
	var left []string
	for _, pattern := range []string{"*", ".*"} {
		found, _ := filepath.Glob(filepath.Join(p.work, pattern))
		for _, f := range found {
			left = append(left, filepath.Base(f))
		}
	}
	if strings.Join(left, " ") != strings.Join(files, " ") {
		t.Errorf("%v: it left %v, want %v", s, left, files)
	}
}

var signals = map[os.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143}

// TestASignalEndsWhatWaits stops real processes while they wait for somebody who does not answer.
func TestASignalEndsWhatWaits(t *testing.T) {
	dir, socket, called := silent(t)
	for _, line := range []string{
		"up --key-file DIR/join.key", "down", "logout --yes", "ping db", "wait", "netcheck", "status --watch", "peers path db --watch", "policy log -f", "ipsec log -f", "doctor", "debug bundle",
		"admin export -o all.toml", "admin key create --network office --out new.key", "admin ca crl --out list.crl", "policy edit --network office",
	} {
		t.Run(line, func(t *testing.T) {
			for s, code := range signals {
				p := start(t, strings.ReplaceAll(line, "DIR", dir), socket, "CVLAN_ADMIN_KEY_FILE="+filepath.Join(dir, "admin.key"))
				var out bytes.Buffer
				p.Stdout = &out
				if err := p.Start(); err != nil {
					t.Fatal(err)
				}
				<-called
				p.leaves(t, s, code)
				if out.Len() > 0 {
					t.Errorf("%v: it wrote %q", s, out.String())
				}
			}
		})
	}
}

// TestASignalEndsWhatReads stops processes that wait for what nobody types, and one that waits for the system.
func TestASignalEndsWhatReads(t *testing.T) {
	for _, line := range []string{"up --key-file -", "policy fmt -", "policy check -", "admin apply -f -", "admin login --key-file -", "service install --program /bin/sh"} {
		t.Run(line, func(t *testing.T) {
			for s, code := range signals {
				p := start(t, line, "/nowhere", "CVLAN_TEST_UNITS=.", "CVLAN_TEST_UNITS_STUCK=1", "CVLAN_TEST_READS=1")
				stdin, err := p.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				defer stdin.Close()
				reads, w := io.Pipe()
				p.Stderr = io.MultiWriter(&p.errs, w)
				if err := p.Start(); err != nil {
					t.Fatal(err)
				}
				if _, err := reads.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				go io.Copy(io.Discard, reads)
				var left []string
				if strings.HasPrefix(line, "service") {
					left = []string{"cvland.service"} // as a whole: another install goes on from there
				}
				p.leaves(t, s, code, left...)
				w.Close()
			}
		})
	}
}

// followers are command lines that show something of a daemon toFollow, and then wait for more.
var followers = []string{"status --watch", "peers path db --watch", "policy log -f", "ipsec log -f"}

// toFollow starts a daemon that has something to show.
func toFollow(t *testing.T) *daemon {
	d, err := startDaemon(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = local.Status{Schema: local.Schema, Networks: []local.Network{{Name: "office", ID: "v1", State: local.Up, Peers: []local.Peer{{Node: local.Node{Name: "db"}}}}}}
	d.path, d.denials, d.ipsec = []byte(`{"peer": "db", "path": "direct"}`), []byte(`{"networks": [{"name": "office", "denials": [{"peer": "db"}]}]}`), []byte(`{"events": [{"peer": "db"}]}`)
	d.later = d.denials
	return d
}

// shown starts a process that has shown something.
func shown(t *testing.T, line string, d *daemon) (*process, io.ReadCloser) {
	t.Helper()
	p := start(t, line, d.socket)
	out, err := p.StdoutPipe()
	if err == nil {
		err = p.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p, out
}

// TestASignalEndsWhatFollows stops processes that have shown something and wait for more.
func TestASignalEndsWhatFollows(t *testing.T) {
	d := toFollow(t)
	for _, line := range followers {
		t.Run(line, func(t *testing.T) {
			for s, code := range signals {
				p, _ := shown(t, line, d)
				p.leaves(t, s, code)
			}
		})
	}
}

// TestNobodyReadsOnEndsWhatFollows: `cvlan status --watch | head -1` ends when head has had enough, not when something happens next.
func TestNobodyReadsOnEndsWhatFollows(t *testing.T) {
	d := toFollow(t)
	d.mu.Lock()
	d.later = []byte(`{"networks": [{"name": "office"}]}`) // nothing happens
	d.mu.Unlock()
	for _, line := range followers[:3] { // what is new in the last comes by the same way as in the third
		p, out := shown(t, line, d)
		out.Close()
		_ = p.Wait() // the status says how it ended
		p.brokenPipe(t, line)
	}
}

// brokenPipe reports a process that has not ended by a broken pipe, or not silently.
func (p *process) brokenPipe(t *testing.T, line string) {
	t.Helper()
	switch s := p.ProcessState.Sys().(syscall.WaitStatus); {
	case (!s.Signaled() || s.Signal() != syscall.SIGPIPE) && s.ExitStatus() != 141:
		t.Errorf("%s: ended with %d, %v, not by a broken pipe", line, s.ExitStatus(), s.Signal())
	case p.errs.Len() != 0:
		t.Errorf("%s: it said %q", line, p.errs.String())
	}
}

// TestNobodyReadsOnSaysNothing: `cvlan … | head` ends the command without a word once head has had enough.
func TestNobodyReadsOnSaysNothing(t *testing.T) {
	for _, line := range []string{"--help", "admin node --help", "version --json", "completion bash"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		p := start(t, line, "/none/s")
		p.Stdout = w
		_ = p.Run()
		w.Close()
		p.brokenPipe(t, line)
	}
}
