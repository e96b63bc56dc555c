//go:build e2e && linux

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

var bin = flag.String("bin", "", "folder of the built programs, absolute")

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }

const (
	office = "office"
	// storyTime bounds one story.
	storyTime = 4 * time.Minute
	// soon is how long something may take that should happen at once, on a machine that other stories share.
	soon = 15 * time.Second
)

// world is a laboratory and what a story has put into it.
type world struct {
	t   *testing.T
	ctx context.Context
	lab *lab.Lab
	set deploy.Set

	mu    sync.Mutex
	heard []heard
	keys  []string // join keys that were made
}

// heard is what one command wrote.
type heard struct{ command, output string }

// begin starts a story in a laboratory of its own.
func begin(t *testing.T) *world {
	t.Helper()
	return beginWithin(t, storyTime)
}

// beginWithin starts one that takes longer than others.
func beginWithin(t *testing.T, limit time.Duration) *world {
	t.Helper()
	t.Parallel()
	lab.NeedTUN(t)
	if *bin == "" {
		t.Fatal("say where the programs are: go test … -args -bin DIR (make e2e does)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, lab: lab.New(t)}
	w.set = deploy.Set{Bin: *bin, Heard: w.hear}
	t.Cleanup(w.searchSecrets) // before the laboratory goes
	t.Cleanup(w.tellOnFailure)
	return w
}

func (w *world) hear(command, output string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard = append(w.heard, heard{command, output})
}

// tellOnFailure shows the last commands of a story that failed.
func (w *world) tellOnFailure() {
	if !w.t.Failed() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.heard[max(0, len(w.heard)-12):] {
		w.t.Logf("$ %s\n%s", h.command, h.output)
	}
}

// must ends the story at an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits until try succeeds, and ends the story when it has not within the limit.
func (w *world) eventually(limit time.Duration, what string, try func() error) {
	w.t.Helper()
	if took, err := w.within(limit, try); err != nil {
		w.t.Fatalf("%s: not within %v (%v): %v", what, limit, took.Round(time.Millisecond), err)
	}
}

// within tries until it succeeds or the limit has passed, and says how long that took.
func (w *world) within(limit time.Duration, try func() error) (took time.Duration, err error) {
	start := time.Now()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = try(); err == nil || time.Since(start) > limit {
			return time.Since(start), err
		}
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			return time.Since(start), fmt.Errorf("the story took too long: %w", err)
		}
	}
}

// controller starts a controller on a host, with a network "office".
func (w *world) controller(h *lab.Host, args ...string) *controller {
	w.t.Helper()
	d, err := w.set.Controller(w.ctx, h, append([]string{"--log-level", "debug"}, args...)...)
	w.must(err)
	c := &controller{d, w}
	c.admin("network", "create", office)
	return c
}

// node starts a daemon on a host.
func (w *world) node(h *lab.Host, args ...string) *node {
	w.t.Helper()
	d, err := w.set.Node(w.ctx, h, append([]string{"--log-level", "debug"}, args...)...)
	w.must(err)
	return &node{d, w}
}

// town is a controller and n nodes on routed LANs, all joined to its office.
func (w *world) town(n int, join ...string) (*controller, []*node, lab.Routed) {
	w.t.Helper()
	r := w.lab.Routed(n)
	c := w.controller(r.Controller)
	key := c.key("--uses", fmt.Sprint(n))
	var all []*node
	for _, h := range r.Nodes {
		m := w.node(h)
		m.join(key, join...)
		all = append(all, m)
	}
	return c, all, r
}

// controller is a controller in a story.
type controller struct {
	*deploy.Controller
	w *world
}

// admin types `cvlan admin …`, which must succeed.
func (c *controller) admin(args ...string) string {
	c.w.t.Helper()
	out, err := c.Admin(c.w.ctx, "", args...)
	c.w.must(err)
	return out
}

// key makes a join key for the office.
func (c *controller) key(args ...string) string {
	c.w.t.Helper()
	k, err := c.Key(c.w.ctx, office, args...)
	c.w.must(err)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.keys = append(c.w.keys, k)
	return k
}

// start starts it again.
func (c *controller) start() {
	c.w.t.Helper()
	c.w.must(c.Start(c.w.ctx))
}

// node is a daemon in a story.
type node struct {
	*deploy.Node
	w *world
}

// join joins with a key, which must succeed.
func (n *node) join(key string, args ...string) string {
	n.w.t.Helper()
	out, err := n.Join(n.w.ctx, key, args...)
	n.w.must(err)
	return out
}

// types runs cvlan, which must succeed.
func (n *node) types(args ...string) string {
	n.w.t.Helper()
	out, err := n.CLI(n.w.ctx, args...)
	n.w.must(err)
	return out
}

// start starts the daemon again.
func (n *node) start() {
	n.w.t.Helper()
	n.w.must(n.Start(n.w.ctx))
}

// stop ends the daemon as a service manager does.
func (n *node) stop() {
	n.w.t.Helper()
	n.w.must(n.Proc.Stop(soon))
}

// ask sends one echo and returns why none came back.
func (n *node) ask(peer string) error {
	_, err := n.CLI(n.w.ctx, "ping", "-c", "1", "--timeout", "500ms", peer)
	return err
}

// reaches waits until a peer answers.
func (n *node) reaches(peer string, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" reaches "+peer, func() error { return n.ask(peer) })
}

// status reads the daemon's whole state.
func (n *node) status() local.Status {
	n.w.t.Helper()
	var s local.Status
	n.w.must(json.Unmarshal([]byte(n.types("status", "--json")), &s))
	return s
}

// in returns the membership of a network as status shows it; a zero one if there is none.
func (n *node) in(network string) local.Network {
	n.w.t.Helper()
	for _, m := range n.status().Networks {
		if m.Name == network {
			return m
		}
	}
	return local.Network{}
}

// becomes waits until the office is in a state.
func (n *node) becomes(want local.State, limit time.Duration) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" becomes "+string(want), func() error {
		if m := n.in(office); m.State != want {
			return fmt.Errorf("it is %q (%v)", m.State, m.Problem)
		}
		return nil
	})
}

// sees lists the names of the office's peers, sorted.
func (n *node) sees() []string {
	n.w.t.Helper()
	names := []string{}
	for _, p := range n.in(office).Peers {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// comesToSee waits until the office's peers are exactly these.
func (n *node) comesToSee(limit time.Duration, names ...string) {
	n.w.t.Helper()
	n.w.eventually(limit, n.Host.Name()+" sees "+strings.Join(names, ", "), func() error {
		if got := n.sees(); !slices.Equal(got, names) {
			return fmt.Errorf("it sees %v", got)
		}
		return nil
	})
}

// refused checks that a command failed as a person should see it: with this exit code, and in the form "cvlan: what: why" with a hint,
// on the same line after a semicolon or below, which together contain all these words.
func (w *world) refused(err error, exit iox.Exit, words ...string) {
	w.t.Helper()
	var f *deploy.Failure
	if !errors.As(err, &f) {
		w.t.Fatalf("it was not refused: %v", err)
	}
	if f.Code != int(exit) {
		w.t.Errorf("exit code %d, want %d: %s", f.Code, exit, f)
	}
	said := strings.TrimSpace(f.Output)
	for _, word := range words {
		if !strings.Contains(said, word) {
			w.t.Errorf("it does not say %q: %s", word, f)
		}
	}
	// A ping tells each echo on standard output; what counts is the error.
	if i := strings.Index(said, "cvlan: "); i >= 0 {
		said = said[i:]
	}
	lines := strings.Split(said, "\n")
	hinted := strings.Contains(lines[0], "; ") || len(lines) > 1 && strings.HasPrefix(lines[1], "  ")
	if len(lines) > 3 || strings.Count(lines[0], ": ") < 2 || !hinted {
		w.t.Errorf("not one line that says what and why, with a hint:\n%s", said)
	}
}
