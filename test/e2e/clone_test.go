//go:build e2e && linux

package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cvlan/cvlan/api/local"
)

func TestACopyOfAMachineIsRefusedAndTheFirstGoesOn(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(3)
	c := w.controller(r.Controller)
	key := c.key("--uses", "2")
	first, peer := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	first.join(key)
	peer.join(key)
	first.reaches("n2", soon)
	first.becomes(local.Up, soon)

	from, to := first.Host.Path("/var/lib/cvlan"), r.Nodes[2].Path("/var/lib/cvlan")
	w.must(os.RemoveAll(to))
	w.must(os.CopyFS(to, os.DirFS(from)))
	w.must(private(to)) // as a copied disk has it
	clone := w.node(r.Nodes[2])
	clone.becomes(local.NeedsLogin, soon)
	m := clone.in(office)
	if m.Problem == nil || m.Problem.Code != "cloned" || !strings.Contains(m.Problem.Hint, "cvlan logout --local") || m.Interface != "" {
		t.Errorf("a clone's membership is %+v (%v)", m, m.Problem)
	}
	if got := first.in(office).State; got != local.Up {
		t.Errorf("the first is %s", got)
	}
	w.must(first.ask("n2"))
	w.must(peer.ask("n1"))

	// What the hint says helps.
	clone.types("logout", "--local", "--yes")
	clone.join(c.key())
	clone.reaches("n1", soon)
	if got := len(c.nodes()); got != 3 {
		t.Errorf("the controller has %d nodes", got)
	}
}

// private takes everything below a folder away from others.
func private(folder string) error {
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		mode := fs.FileMode(0o600)
		if err != nil || d.IsDir() {
			mode = 0o700
		}
		return errors.Join(err, os.Chmod(path, mode))
	})
}
