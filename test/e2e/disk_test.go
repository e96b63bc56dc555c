//go:build e2e && linux

package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/lab"
)

const dataFolder = "/var/lib/cvlan-controller"

// smallDisk mounts a disk of its own over a folder of a host.
func (w *world) smallDisk(h *lab.Host, folder, size string) {
	w.t.Helper()
	w.must(h.Do(func() error {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		return unix.Mount("tmpfs", folder, "tmpfs", 0, "mode=0700,size="+size)
	}))
}

// fills writes into a folder of a host until there is no room; the file that does it is called "fill".
func (w *world) fills(h *lab.Host, folder string) {
	w.t.Helper()
	w.must(h.Do(func() error {
		f, err := os.OpenFile(filepath.Join(folder, "fill"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		for block := make([]byte, 64<<10); len(block) > 0; {
			if _, err := f.Write(block); err != nil {
				block = block[:len(block)/2]
			}
		}
		return nil
	}))
}

func (w *world) frees(h *lab.Host, folder string) {
	w.t.Helper()
	w.must(h.Do(func() error { return os.Remove(filepath.Join(folder, "fill")) }))
}

// readOnly makes a mount of a host read-only, or writable again.
func (w *world) readOnly(h *lab.Host, folder string, on bool) {
	w.t.Helper()
	flags := uintptr(unix.MS_REMOUNT | unix.MS_BIND)
	if on {
		flags |= unix.MS_RDONLY
	}
	w.must(h.Do(func() error { return unix.Mount("", folder, "", flags, "") }))
}

// bound makes a folder of a host a mount of its own, so that readOnly can have it.
func (w *world) bound(h *lab.Host, folder string) {
	w.t.Helper()
	w.must(h.Do(func() error { return unix.Mount(folder, folder, "", unix.MS_BIND, "") }))
}

func TestAControllerWithAFullDiskServesReadOnlyAndHeals(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(3)
	w.smallDisk(r.Controller, dataFolder, "24m")
	c := w.controller(r.Controller)
	key := c.key("--uses", "3")
	a, b, late := w.node(r.Nodes[0]), w.node(r.Nodes[1]), w.node(r.Nodes[2])
	a.join(key)
	b.join(key)

	// Acknowledged changes go on for a while from what the controller has put by; then one is refused.
	acknowledged := ""
	var refusal error
	for i := 0; refusal == nil; i++ {
		if i%20 == 0 {
			w.fills(r.Controller, dataFolder)
		}
		name := fmt.Sprintf("renamed-%d", i)
		if _, refusal = c.Admin(w.ctx, "", "node", "rename", b.in(office).Self.ID, name); refusal == nil {
			acknowledged = name
		}
		if i > 400 {
			t.Fatal("a full disk never refuses anything")
		}
	}
	w.refused(refusal, iox.Internal, "disk is full", "free some space")
	w.must(c.Proc.WaitLog(w.ctx, "full"))
	c.admin("node", "list") // reading goes on
	_, err := late.Join(w.ctx, key)
	w.refused(err, iox.Internal, "cannot write its database", "the same key works again")
	w.must(a.ask(b.in(office).Self.Addresses[0].String()))
	a.types("down")
	a.types("up") // sessions are served, too
	a.becomes(local.Up, soon)

	w.frees(r.Controller, dataFolder)
	w.eventually(time.Minute, "the controller writes again by itself", func() error {
		_, err := c.Admin(w.ctx, "", "node", "rename", a.in(office).Self.ID, "healed")
		return err
	})
	if acknowledged != "" && c.called(acknowledged).Name != acknowledged {
		t.Errorf("the acknowledged name %s is lost: %+v", acknowledged, c.nodes())
	}
	late.join(key) // it was not used up
	if got := len(c.nodes()); got != 3 {
		t.Errorf("the controller has %d nodes", got)
	}
	c.Proc.Kill()
	c.start()
	if got := c.called("healed").Name; got != "healed" {
		t.Errorf("after the disk had room an acknowledged change is lost: %+v", c.nodes())
	}
	if report, err := c.Config(w.ctx, "check"); err != nil {
		t.Errorf("config check: %v %s", err, report)
	}
}

func TestAControllerOnAReadOnlyDiskServesReadOnlyAndHeals(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	w.smallDisk(r.Controller, dataFolder, "64m")
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	n.join(c.key())
	w.must(c.Proc.Stop(soon))
	w.readOnly(r.Controller, dataFolder, true)
	c.start()
	n.becomes(local.Up, time.Minute)
	_, err := c.Admin(w.ctx, "", "node", "rename", "n1", "db-7")
	w.refused(err, iox.Internal, "cannot be written", "writable")
	if got := c.called("n1").Name; got != "n1" {
		t.Errorf("the node is called %q", got)
	}
	w.readOnly(r.Controller, dataFolder, false)
	w.eventually(time.Minute, "the controller writes again by itself", func() error {
		_, err := c.Admin(w.ctx, "", "node", "rename", "n1", "db-7")
		return err
	})
}

func TestADatabaseOfANewerVersionIsRefused(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(1)
	c := w.controller(r.Controller)
	n := w.node(r.Nodes[0])
	n.join(c.key())
	w.must(c.Proc.Stop(soon))
	file := r.Controller.Path(dataFolder + "/cvlan.db")
	db, err := sql.Open("sqlite", file)
	w.must(err)
	_, err = db.Exec("INSERT INTO schema SELECT 9000, 'the future', checksum, at, 'cvlan-controller 99' FROM schema LIMIT 1")
	w.must(err)
	w.must(db.Close())

	ctx, cancel := context.WithTimeout(w.ctx, soon)
	defer cancel()
	err = c.Start(ctx)
	if err == nil {
		t.Fatal("it starts with a database of the future")
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("exit status %d", iox.Skew)) {
		t.Errorf("the exit code is not %d: %v", iox.Skew, err)
	}
	for _, word := range []string{"9000", "cvlan-controller 99", "run the newer program"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("it does not say %q: %v", word, err)
		}
	}
	if out, err := c.Config(w.ctx, "check"); err == nil {
		t.Errorf("config check says %s", out)
	}

	db, err = sql.Open("sqlite", file)
	w.must(err)
	_, err = db.Exec("DELETE FROM schema WHERE version = 9000")
	w.must(err)
	w.must(db.Close())
	c.start() // it has touched nothing
	if got := c.called("n1").Name; got != "n1" {
		t.Errorf("the node is called %q", got)
	}
}

func TestADaemonWithAFullDiskGoesOnAndHeals(t *testing.T) {
	w := begin(t)
	r := w.lab.Routed(2)
	c := w.controller(r.Controller)
	w.smallDisk(r.Nodes[0], "/var/lib/cvlan", "1m")
	n, peer := w.node(r.Nodes[0]), w.node(r.Nodes[1])
	key := c.key("--uses", "2")
	peer.join(key)

	w.fills(n.Host, "/var/lib/cvlan")
	_, err := n.Join(w.ctx, key)
	w.refused(err, iox.Internal, "full", "as good as before")
	w.frees(n.Host, "/var/lib/cvlan")
	n.join(key)
	n.types("set", "dns", "off") // the journal of names, which ends with down, would make room
	w.eventually(soon, "the journal of names is gone", func() error {
		return n.Host.Do(func() error {
			if _, err := os.Stat("/var/lib/cvlan/dns.journal"); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("it is there: %v", err)
			}
			return nil
		})
	})
	n.reaches("n2", soon)

	w.fills(n.Host, "/var/lib/cvlan")
	c.admin("node", "rename", "n2", "db-7")
	n.comesToSee(soon, "db-7")
	n.warns("state-not-saved", true)
	_, err = n.CLI(w.ctx, "down")
	w.refused(err, iox.Internal, "full")
	_, _ = n.CLI(w.ctx, "up") // whether it can be noted or not, the network comes up
	n.becomes(local.Up, soon)
	n.reaches("db-7", soon)

	w.frees(n.Host, "/var/lib/cvlan")
	n.warns("state-not-saved", false)
	c.Proc.Kill()
	n.Proc.Kill()
	n.comesBackFromItsMap("db-7", 3*time.Second)
}

func TestADaemonOnAReadOnlyDiskGoesOnAndHeals(t *testing.T) {
	w := begin(t)
	c, nodes, _ := w.town(2)
	n := nodes[0]
	folder := "/var/lib/cvlan/networks/" + n.in(office).ID
	w.bound(n.Host, folder)
	w.readOnly(n.Host, folder, true)
	c.admin("node", "rename", "n2", "db-7")
	n.comesToSee(soon, "db-7")
	n.warns("state-not-saved", true)
	n.reaches("db-7", soon)
	w.readOnly(n.Host, folder, false)
	n.warns("state-not-saved", false)
}

// warns waits until status has a warning, or has not; a disk that refused is tried again once a minute.
func (n *node) warns(code string, want bool) {
	n.w.t.Helper()
	n.w.eventually(90*time.Second, fmt.Sprintf("the warning %s is %v", code, want), func() error {
		got := n.in(office).Warnings
		for _, warning := range got {
			if warning.Code == code == want {
				if want && (warning.What == "" || warning.Hint == "") {
					return fmt.Errorf("it says %q, %q", warning.What, warning.Hint)
				}
				return nil
			}
		}
		if !want && len(got) == 0 {
			return nil
		}
		return fmt.Errorf("it warns of %v", got)
	})
}
