package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cvlan/cvlan/controller/audit"
	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
)

// victimDir names, to a child process of the test, the folder that it writes to until it is killed.
const victimDir = "CVLAN_TEST_VICTIM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(dir, os.Stdout)
		os.Exit(1) // nothing ends a victim but the kill
	}
	os.Exit(m.Run())
}

// victim changes a store with several callers and says what it was told is done. It says also what it is about to delete.
func victim(dir string, out io.Writer) {
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		fmt.Fprintln(out, "error", err)
		return
	}
	tenants, err := s.Tenants(context.Background())
	if err != nil || len(tenants) != 1 {
		fmt.Fprintln(out, "error", err, tenants)
		return
	}
	h := s.For(tenants[0].ID)
	networks, err := h.Networks(context.Background())
	if err != nil || len(networks) != 1 {
		fmt.Fprintln(out, "error", err, networks)
		return
	}
	var mu sync.Mutex
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, words...)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { say("error", suffer(h, networks[0], say)) })
	}
	wg.Wait()
}

func suffer(h store.Handle, n store.Network, say func(...any)) error {
	ctx := context.Background()
	secret := key.NewSecret()
	k, err := h.CreateJoinKey(ctx, "victim", store.JoinKey{Network: n.ID, Hash: secret.Hash()})
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		node, err := h.Admit(ctx, machine(k, secret))
		if err != nil {
			return err
		}
		say("admitted", node.ID, node.Address4, node.Version)
		if i%2 == 0 {
			if node, err = h.SignNode(ctx, node.ID, node.Record, make([]byte, key.SignatureSize)); err != nil {
				return err
			}
			say("signed", node.ID, node.Address4, node.Version)
		}
		if i%3 == 0 {
			say("deleting", node.ID, node.Address4, node.Version)
			if err := h.DeleteNode(ctx, "victim", node.ID, 0); err != nil {
				return err
			}
			say("deleted", node.ID, node.Address4, node.Version)
		}
	}
}

// promise is the last that a victim was told of a node.
type promise struct {
	word, address string
	version       uint64
}

// kill starts a victim and kills it after some of its promises, which it adds.
func kill(t *testing.T, dir string, after time.Duration, promises map[string]promise) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), victimDir+"="+dir)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	for lines := bufio.NewScanner(out); lines.Scan(); {
		once.Do(func() { time.AfterFunc(after, func() { c.Process.Kill() }) }) // it has begun
		var id string
		var p promise
		if n, _ := fmt.Sscan(lines.Text(), &p.word, &id, &p.address, &p.version); n == 4 {
			promises[id] = p
		} else if strings.HasPrefix(lines.Text(), "error") {
			t.Errorf("the victim says %s", lines.Text())
		}
	}
	if c.Wait() == nil {
		t.Error("the victim ended by itself")
	}
}

// A controller killed at any moment loses nothing that it has acknowledged, and tears nothing apart.
func TestKilledAtAnyMomentItKeepsItsWord(t *testing.T) {
	kills := 20
	if testing.Short() {
		kills = 4
	}
	dir := t.TempDir()
	s := openTest(t, Config{Dir: dir})
	h, _, _, _ := settle(t, s)
	tenant, err := h.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	promises := map[string]promise{}
	for range kills {
		kill(t, dir, time.Duration(rand.IntN(int(120*time.Millisecond))), promises)
		s := openTest(t, Config{Dir: dir})
		if err := check(t.Context(), s.reader().db, "integrity_check"); err != nil {
			t.Fatal(err)
		}
		keptItsWord(t, s.For(tenant.ID), tenant.ID, promises)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(promises) < kills {
		t.Errorf("only %d promises in %d runs", len(promises), kills)
	}
	t.Logf("%d kills, %d nodes promised", kills, len(promises))
}

func keptItsWord(t *testing.T, h store.Handle, id ident.Tenant, promises map[string]promise) {
	t.Helper()
	l, err := h.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]store.Node{}
	for _, n := range l.Nodes {
		there[n.ID.String()] = n
	}
	for id, p := range promises {
		n, is := there[id]
		switch {
		case p.word == "deleted" && is:
			t.Errorf("%s was deleted and is back", id)
		case (p.word == "admitted" || p.word == "signed") && (!is || n.Address4.String() != p.address || n.Version < p.version):
			t.Errorf("%s was promised at %d with %s: %+v", id, p.version, p.address, n)
		case p.word == "signed" && n.Signature == nil:
			t.Errorf("%s has lost its signature", id)
		}
	}
	var last audit.Link
	for {
		page, err := h.Events(t.Context(), last.Seq, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return
		}
		if last, err = audit.Verify(id, last, page); err != nil {
			t.Fatal(err)
		}
	}
}
