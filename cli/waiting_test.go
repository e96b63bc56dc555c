package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cvlan/cvlan/cli"
	"github.com/cvlan/cvlan/cli/iox"
)

// asksNobody are the commands that wait for nobody but this machine, or in a way of their own.
var asksNobody = []string{
	"cvlan admin logout", "cvlan completion", "cvlan help", "cvlan policy check", "cvlan policy fmt", "cvlan policy import", "cvlan profile list", "cvlan profile remove", "cvlan profile use",
	"cvlan service", "cvlan tray", "cvlan tui", "cvlan version",
}

// TestEveryCommandThatAsksIsAmongThoseThatWait keeps the list whole.
func TestEveryCommandThatAsksIsAmongThoseThatWait(t *testing.T) {
	for _, c := range leaves(t) {
		path := strings.Replace(c.CommandPath(), "admin policy", "policy", 1) // they are the same
		if slices.ContainsFunc(asksNobody, func(p string) bool { return path == p || strings.HasPrefix(path, p+" ") }) {
			continue
		}
		if !slices.ContainsFunc(waiting, func(line string) bool { return strings.HasPrefix("cvlan "+line+" ", path+" ") }) {
			t.Errorf("%s waits for somebody, and no test has it wait", path)
		}
	}
}

// watcher is a person who looks at standard error, and presses ctrl-C when it has been told that something takes its time.
type watcher struct {
	mu    sync.Mutex
	read  bytes.Buffer
	press context.CancelFunc
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.HasPrefix(b, []byte("\r")) && bytes.Contains(b, []byte(" … ")) {
		w.press()
	}
	return w.read.Write(b)
}

// atOnce runs every line that waits at the same time, in an empty folder.
func atOnce(t *testing.T, run func(t *testing.T, line, dir, socket string)) {
	dir, socket, _ := silent(t)
	t.Chdir(t.TempDir())
	var all sync.WaitGroup
	for _, line := range waiting {
		all.Go(func() { run(t, line, dir, socket) })
	}
	all.Wait()
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("they left %v, %v", left, err)
	}
}

// TestWhatWaitsSaysSo has every command wait for somebody who does not answer: a person is told on standard error, and when ctrl-C ends it, what was
// told is taken away again.
func TestWhatWaitsSaysSo(t *testing.T) {
	atOnce(t, func(t *testing.T, line, dir, socket string) {
		ctx, press := context.WithCancel(t.Context())
		defer press()
		var out bytes.Buffer
		w := &watcher{press: press}
		code := cli.Run(ctx, alone(&iox.IO{In: strings.NewReader(""), Out: &out, Err: w, ErrTTY: true}, dir, socket), words(line, dir))
		told := w.read.String()
		if code != int(iox.Interrupted) || out.Len() > 0 || !strings.HasPrefix(told, "\r") || !strings.HasSuffix(told, "\r\x1b[K") || strings.Contains(told, "\n") {
			t.Errorf("%s: exit code %d, told %q, wrote %q", line, code, told, out.String())
		}
	})
}

// TestWhatWaitsForScriptsEnds gives every command a moment for somebody who does not answer: it ends with 6, says whom it has asked, and what to type.
func TestWhatWaitsForScriptsEnds(t *testing.T) {
	atOnce(t, func(t *testing.T, line, dir, socket string) {
		if line == "doctor" || strings.HasPrefix(line, "debug") { // who is silent is what they tell of
			return
		}
		var errs bytes.Buffer
		code := cli.Run(t.Context(), alone(&iox.IO{In: strings.NewReader(""), Out: io.Discard, Err: &errs}, dir, socket), append(words(line, dir), "--timeout", "50ms"))
		why, hint, _ := strings.Cut(errs.String(), "\n")
		if code != int(iox.Timeout) || !strings.Contains(why, "timeout") || strings.TrimSpace(hint) == "" {
			t.Errorf("%s: exit code %d, it said %q", line, code, errs.String())
		}
	})
}
