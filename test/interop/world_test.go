//go:build interop && linux

package interop

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

var (
	bin    = flag.String("bin", "", "folder of the built programs, absolute, with tools/wireguard-go and tools/interop-ours")
	ours   = flag.String("ours", string(cvlan), "what our side is: cvlan, or another to try the stories themselves")
	theirs = flag.String("theirs", string(stock), "what their side is, separated by commas: kernel, wireguard-go")
)

func TestMain(m *testing.M) { os.Exit(lab.TestMain(m)) }

const (
	// storyTime bounds one story.
	storyTime = 4 * time.Minute
	// soon is how long something may take that should happen at once, on a machine that other stories share.
	soon = 10 * time.Second
	// retried is how long something may take that needs one more handshake message: five seconds and a bit (§6.4 of the paper).
	retried = 5*time.Second + soon
)

// world is a laboratory with two sides of a tunnel.
type world struct {
	t      *testing.T
	ctx    context.Context
	lab    *lab.Lab
	ours   *side
	theirs *side
}

// variant is one way to tell a story. Who acts first has the smaller public key: of two that begin a handshake at once, our tunnel has
// that one insist.
type variant struct {
	outer family // of addresses, outside
	first actor
}

type actor string

const (
	we   actor = "we"
	they actor = "they"
)

type family string

const (
	v4 family = "v4"
	v6 family = "v6"
)

// bothBegin are the ways of a story in which it counts who begins.
var bothBegin = []variant{{v4, we}, {v4, they}}

// each tells a story in all variants with each of the others. The sides stand and have keys; they do not know each other yet.
func each(t *testing.T, variants []variant, story func(w *world, v variant)) {
	t.Helper()
	t.Parallel()
	if *bin == "" {
		t.Fatal("say where the programs are: go test … -args -bin DIR (make interop-wg does)")
	}
	for name := range strings.SplitSeq(*theirs, ",") {
		for _, v := range variants {
			t.Run(fmt.Sprintf("%s/%s/%s", name, v.outer, v.first), func(t *testing.T) {
				t.Parallel()
				lab.NeedTUN(t)
				story(newWorld(t, kind(name), v), v)
			})
		}
	}
}

func newWorld(t *testing.T, theirs kind, v variant) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyTime)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, lab: lab.New(t)}
	w.ours = w.newSide("ours", kind(*ours), 1, v.outer)
	w.theirs = w.newSide("theirs", theirs, 2, v.outer)
	first, second := w.order(v.first)
	if a, b := first.key.Public(), second.key.Public(); bytes.Compare(a[:], b[:]) > 0 {
		first.key, second.key = second.key, first.key
	}
	w.must(w.ours.Start(ctx))
	w.must(w.theirs.Start(ctx))
	return w
}

// order returns both sides, the one that acts first.
func (w *world) order(first actor) (begins, answers *side) {
	if first == we {
		return w.ours, w.theirs
	}
	return w.theirs, w.ours
}

// introduce makes the sides peers. Only who begins knows where the other is, so that nobody else can.
func (w *world) introduce(begins, answers *side, o peerOptions) {
	w.t.Helper()
	w.must(answers.SetPeer(w.ctx, begins, o.silent()))
	o.endpoint = true
	w.must(begins.SetPeer(w.ctx, answers, o))
}

// acquaint tells both sides where the other is.
func (w *world) acquaint(o peerOptions) {
	w.t.Helper()
	o.endpoint = true
	w.must(w.ours.SetPeer(w.ctx, w.theirs, o))
	w.must(w.theirs.SetPeer(w.ctx, w.ours, o))
}

// must ends the story at an error.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// eventually waits until try succeeds, and ends the story when it has not within the limit.
func (w *world) eventually(limit time.Duration, what string, try func() error) time.Duration {
	w.t.Helper()
	took, err := w.within(limit, try)
	if err != nil {
		w.t.Fatalf("%s: not within %v (%v): %v", what, limit, took.Round(time.Millisecond), err)
	}
	return took
}

// within tries until it succeeds or the limit has passed, and says how long that took. It tries ever more seldom, up to twice a second:
// in a guest whose time travels only trying costs time.
func (w *world) within(limit time.Duration, try func() error) (took time.Duration, err error) {
	start := time.Now()
	for wait := 20 * time.Millisecond; ; wait = min(wait*5/4, 500*time.Millisecond) {
		if err = try(); err == nil || time.Since(start) > limit {
			return time.Since(start), err
		}
		select {
		case <-time.After(wait):
		case <-w.ctx.Done():
			return time.Since(start), fmt.Errorf("the story took too long: %w", err)
		}
	}
}

// throughout checks again and again, for a time, that something does not fail.
func (w *world) throughout(d time.Duration, every time.Duration, check func()) {
	w.t.Helper()
	end := time.After(d)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			check()
		case <-end:
			return
		case <-w.ctx.Done():
			w.t.Fatal("the story took too long")
		}
	}
}
