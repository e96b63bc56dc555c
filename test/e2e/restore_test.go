//go:build e2e && linux

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

func TestARestoredBackupIsWhatCounts(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(3)
	c := w.controller(r.Controller)
	key := c.key("--uses", "3")
	a, b, late := w.node(r.Nodes[0]), w.node(r.Nodes[1]), w.node(r.Nodes[2])
	a.join(key)
	b.join(key)
	a.comesToSee(soon, "n2")
	backup := "/var/lib/before.db"
	if out, err := c.Config(w.ctx, "backup", backup); err != nil {
		t.Fatal(err, out)
	}
	if _, err := c.Config(w.ctx, "restore", backup); err == nil {
		t.Error("a backup is restored under a running controller")
	}

	c.admin("node", "rename", "n2", "db-7")
	late.join(key)
	a.comesToSee(soon, "db-7", "n3")
	w.must(c.Proc.Stop(soon))
	if out, err := c.Config(w.ctx, "restore", backup); err != nil {
		t.Fatal(err, out)
	}
	c.start()
	a.comesToSee(time.Minute, "n2") // the rename and the newcomer are undone
	a.reaches("n2", soon)
	late.becomes(local.NeedsLogin, time.Minute)
	late.join(c.key())
	a.comesToSee(soon, "n2", "n3")
	late.reaches("n1", soon)
}

func TestNamesAreCleanedBeforeATerminalSeesThem(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	key := c.key("--uses", "2")
	evil, plain := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	evil.join(key, "--hostname", "\x1b[31mRoot\u202e\u0007 Server\n")
	plain.join(key, "--hostname", "Root Server") // asks for the same
	for _, out := range []string{evil.types("status"), plain.types("status"), c.admin("node", "list"), c.admin("audit")} {
		for _, bad := range []string{"\x1b", "\u202e", "\x07", "Root"} {
			if strings.Contains(out, bad) {
				t.Errorf("%q is shown:\n%q", bad, out)
			}
		}
	}
	names := []string{evil.in(office).Self.Name, plain.in(office).Self.Name}
	if names[0] == names[1] || !strings.Contains(names[1], "root-server") {
		t.Errorf("the names are %q", names)
	}
	_, err := evil.CLI(w.ctx, "ping", "-c", "1", "\x1b[2Jnobody")
	w.refused(err, iox.NotFound)
	var f *deploy.Failure
	if errors.As(err, &f) && strings.Contains(f.Output, "\x1b") {
		t.Errorf("an escape sequence comes back: %q", f.Output)
	}
}
