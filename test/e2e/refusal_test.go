//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/cli/iox"
)

func TestBadJoinKeysAreRefusedAndAGoodOneWorksAfterwards(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	good := c.key()
	adminKey, err := os.ReadFile(r.Controller.Path(c.Data() + "/admin.key"))
	w.must(err)

	used := c.key()
	w.node(r.Nodes[1]).join(used)
	short := c.key("--expires", "1s")
	revoked := c.key()
	c.admin("key", "revoke", c.idOf(revoked))
	w.eventually(soon, "a key expires", func() error {
		if !strings.Contains(c.admin("key", "list"), "expired") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	for _, bad := range []struct {
		name, key string
		exit      iox.Exit
		words     []string
	}{
		{"used up", used, iox.NeedsLogin, []string{"as many machines as it may", "cvlan admin key create"}},
		{"expired", short, iox.NeedsLogin, []string{"has expired", "cvlan admin key create"}},
		{"revoked", revoked, iox.NeedsLogin, []string{"was revoked", "cvlan admin key create"}},
		{"mistyped", mistype(good), iox.Invalid, []string{"mistyped or cut short"}},
		{"truncated", good[:len(good)-9], iox.Invalid, []string{"mistyped or cut short"}},
		{"empty", "", iox.Invalid, []string{"empty"}},
		{"an admin key", string(adminKey), iox.Invalid, []string{"this is an admin key"}},
		{"something else", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMq", iox.Invalid, []string{"is this the right string"}},
	} {
		_, err := n.Join(w.ctx, bad.key)
		if err == nil {
			t.Errorf("%s: the key admits", bad.name)
			continue
		}
		w.refused(err, bad.exit, bad.words...)
	}
	if got := n.status().Networks; len(got) != 0 {
		t.Errorf("refused joins left %+v", got)
	}
	n.join(good)
	n.reaches("n2", soon)
}

func TestAKeyOfAnotherControllerAtTheSameAddress(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	old := w.controller(r.Controller)
	stale := old.key()
	w.must(old.Proc.Stop(soon))
	w.must(os.RemoveAll(r.Controller.Path(old.Data()))) // set up anew
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	_, err := n.Join(w.ctx, stale)
	w.refused(err, iox.Invalid, "what answered is not the controller", "a new join key")
	n.join(c.key())
}

func TestAControllerThatCannotBeReached(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	key := c.key()
	n := w.node(r.Nodes[0])
	c.Proc.Kill()
	_, err := n.Join(w.ctx, key)
	w.refused(err, iox.Unreachable, "connection refused", "does the controller run there")
	w.lab.Cut(r.Nodes[0], r.Controller)
	_, err = n.Join(w.ctx, key)
	w.refused(err, iox.Unreachable, "203.0.113.1:8443", "firewalls")
	w.lab.Heal(r.Nodes[0], r.Controller)
	c.start()
	n.join(key) // it was not used up by all that
	if nodes := c.nodes(); len(nodes) != 1 {
		t.Errorf("the controller has %d nodes", len(nodes))
	}
}

func TestWithoutADaemonAndWithoutAMembership(t *testing.T) {
	w := begin(t)
	h := w.lab.Public("a")
	n := w.node(h)
	_, err := n.CLI(w.ctx, "up")
	w.refused(err, iox.NeedsLogin, "cvlan up --key-file")
	_, err = n.CLI(w.ctx, "ping", "b")
	w.refused(err, iox.NeedsLogin, "cvlan up --key-file")
	n.stop()
	_, err = n.CLI(w.ctx, "status")
	w.refused(err, iox.NoDaemon, "cvland")
}

// mistype changes one character in the middle of a key.
func mistype(key string) string {
	b := []byte(key)
	if b[len(b)/2]++; b[len(b)/2] == '.' {
		b[len(b)/2] = 'A'
	}
	return string(b)
}

// A controller that takes no packets is what has not answered, not the daemon.
func TestWhoJoinsIsToldThatTheControllerIsSilent(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	key := c.key()
	w.lab.Cut(r.Nodes[0], r.Controller)
	_, err := n.Join(w.ctx, key, "--timeout", "2s")
	w.refused(err, iox.Unreachable, "join: ", "controller not reached: "+r.Controller.Addr().String()+":8443: no answer in time")
	if strings.Contains(err.Error(), "daemon") {
		t.Errorf("it speaks of the daemon: %v", err)
	}
	w.lab.Heal(r.Nodes[0], r.Controller)
	n.join(key)
}
