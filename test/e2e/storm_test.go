//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

const (
	rounds = 20
	// noticed is how long a node with a quiet QUIC session may take to notice that the controller was killed (one keepalive), and to
	// hear what has changed.
	noticed = 45 * time.Second
)

// TestNothingAcknowledgedIsLostByKills kills the controller or a joining daemon at random moments while an admin renames nodes and
// machines join, each with a key for one machine. Afterwards every change that was acknowledged is there, every machine is exactly
// one node, and all is connected.
func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	w := begin(t)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("CVLAN_E2E_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		w.must(err)
	}
	t.Logf("seed %d; the same again: CVLAN_E2E_SEED=%d", seed, seed)
	rnd := rand.New(rand.NewPCG(seed, 0))

	r := w.lab.Routed(3)
	c := w.controller(r.Controller)
	witness, joiner := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	witness.join(c.key())
	third := w.node(r.Nodes[2])
	third.join(c.key())
	untouched := w.network(joiner.Host)
	s := &storm{w: w, c: c, victim: joiner, renamed: third.in(office).Self.ID}
	for round := range rounds {
		s.round(rnd, round)
	}

	for _, n := range []*node{witness, joiner, third} {
		n.becomes(local.Up, 2*time.Minute)
	}
	if got := len(c.nodes()); got != 3 {
		t.Errorf("three machines are %d nodes: %+v", got, c.nodes())
	}
	names := []string{s.name, joiner.in(office).Self.Name}
	for _, name := range names {
		witness.reaches(name, noticed)
	}
	joiner.types("down")
	w.isAsBefore(joiner.Host, untouched)
	if report, err := c.Config(w.ctx, "check"); err != nil {
		t.Errorf("config check: %v %s", err, report)
	}
}

// storm is what happens in each round.
type storm struct {
	w       *world
	c       *controller
	victim  *node  // joins anew in every round
	renamed string // identifier of a node that gets a new name in every round
	name    string // the last one that was acknowledged
}

func (s *storm) round(rnd *rand.Rand, round int) {
	w := s.w
	w.t.Helper()
	key := s.c.key()
	killController, killDaemon := rnd.IntN(3) != 0, rnd.IntN(3) != 0
	controllerAt, daemonAt := moment(rnd), moment(rnd)
	want := fmt.Sprintf("n3-%d", round)
	joined := make(chan error, 1)
	changed := make(chan error, 1)
	var kills sync.WaitGroup
	kill := func(at time.Duration, p interface{ Kill() }) {
		kills.Go(func() { <-time.After(at); p.Kill() })
	}
	go func() { _, err := s.victim.Join(w.ctx, key, "--timeout", "5s"); joined <- err }()
	go func() {
		_, err := s.c.Admin(w.ctx, "", "--timeout", "3s", "node", "rename", s.renamed, want)
		changed <- err
	}()
	if killController {
		kill(controllerAt, s.c.Proc)
	}
	if killDaemon {
		kill(daemonAt, s.victim.Proc)
	}
	kills.Wait()
	if killController {
		s.c.start()
	}
	joinErr, changeErr := <-joined, <-changed
	if killDaemon {
		s.victim.start()
	}
	s.settle(want, changeErr)
	s.finish(round, key, joinErr)
}

// moment is when in a round a kill comes: joins and changes take about that long.
func moment(rnd *rand.Rand) time.Duration {
	return time.Duration(rnd.Int64N(int64(150 * time.Millisecond)))
}

// settle checks what became of the change: acknowledged means kept; refused or cut off means one or the other, whole.
func (s *storm) settle(want string, err error) {
	s.w.t.Helper()
	now := ""
	for _, n := range s.c.nodes() {
		if n.ID.String() == s.renamed {
			now = n.Name
		}
	}
	if err == nil && now != want {
		s.w.t.Fatalf("the acknowledged name %s is lost; it is %q", want, now)
	}
	if err != nil && now != want && s.name != "" && now != s.name {
		s.w.t.Fatalf("the name is %q, neither %q nor %q", now, s.name, want)
	}
	s.name = now
}

// finish types the same join again if it was cut off: the key, good for one machine, must bring this one in, as one node. Then the
// machine leaves, to come anew in the next round; in the last one it stays.
func (s *storm) finish(round int, key string, err error) {
	w := s.w
	w.t.Helper()
	if err != nil {
		var f *deploy.Failure
		if !errors.As(err, &f) {
			w.t.Fatal(err)
		}
		w.eventually(time.Minute, "the same join succeeds after the kill", func() error {
			_, err := s.victim.Join(w.ctx, key, "--timeout", "5s")
			return err
		})
	}
	s.victim.becomes(local.Up, time.Minute)
	if got := len(s.c.nodes()); got != 3 {
		w.t.Fatalf("round %d: three machines are %d nodes: %+v", round, got, s.c.nodes())
	}
	if round == rounds-1 {
		return
	}
	s.c.admin("node", "delete", s.victim.in(office).Self.ID, "--yes")
	s.victim.types("logout", "--yes")
}
