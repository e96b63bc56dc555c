package sqlite

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/controller/store"
)

const ownMounts = "CVLAN_TEST_OWN_MOUNTS"

// smallDisk runs the calling test again in a process with a mount namespace of its own, and there returns the folder of a small file
// system. Outside it reports what became of that, and the test has nothing left to do.
func smallDisk(t *testing.T) (dir string, inside bool) {
	t.Helper()
	if os.Getenv(ownMounts) == "" {
		again(t)
		return "", false
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m,mode=0700"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, true
}

func again(t *testing.T) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	c.Env = append(os.Environ(), ownMounts+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		t.Fatalf("on the small disk:\n%s", out)
	case err != nil:
		t.Skipf("needs a mount namespace of its own: %v", err)
	case !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Fatalf("did not run on the small disk:\n%s", out)
	}
}

// fill leaves not a byte of a disk.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "filler")); err != nil {
		t.Fatal(err)
	}
}

// writeUntilFull admits nodes until the store says that it cannot, and returns what is there then.
func writeUntilFull(t *testing.T, h store.Handle, admit func() error) store.Load {
	t.Helper()
	var err error
	for n := 0; err == nil; n++ {
		if err = admit(); n > 100_000 {
			t.Fatal("the disk never gets full")
		}
	}
	if !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("on a full disk: %v", err)
	}
	l, err := h.Load(t.Context())
	if err != nil {
		t.Fatalf("reading on a full disk: %v", err)
	}
	return l
}

func TestAFullDiskStopsOnlyWritingAndHeals(t *testing.T) {
	dir, inside := smallDisk(t)
	if !inside {
		return
	}
	data := filepath.Join(dir, "data")
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Config{Dir: data})
		h, _, k, secret := settle(t, s)
		acked := 0
		admit := func() error {
			_, err := h.Admit(t.Context(), machine(k, secret))
			if err == nil {
				acked++
			}
			return err
		}
		fill(t, dir)
		full := writeUntilFull(t, h, admit)
		if len(full.Nodes) != acked {
			t.Errorf("%d nodes, %d were acknowledged", len(full.Nodes), acked)
		}
		if err := s.Writable(); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("writable: %v", err)
		}
		if _, err := os.Stat(filepath.Join(data, ballastName)); err == nil {
			t.Error("the ballast was not given up")
		}
		time.Sleep(time.Minute)
		if err := admit(); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("a minute later: %v", err)
		}
		empty(t, dir)
		time.Sleep(2 * retry)
		if err := s.Writable(); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
		if err := admit(); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
		if info, err := os.Stat(filepath.Join(data, ballastName)); err != nil || info.Size() != ballastSize {
			t.Errorf("the ballast: %v, %v", info, err)
		}
		if l, err := h.Load(t.Context()); err != nil || len(l.Nodes) != acked || l.Tenant.Hard != full.Tenant.Hard+1 {
			t.Errorf("%d nodes at %d, %v", len(l.Nodes), l.Tenant.Hard, err)
		}
	})
}

// The controller starts on a full disk, because it may be the way to reach that very machine.
func TestItStartsOnAFullDisk(t *testing.T) {
	dir, inside := smallDisk(t)
	if !inside {
		return
	}
	data, killed := filepath.Join(dir, "data"), filepath.Join(dir, "killed")
	s := openTest(t, Config{Dir: data})
	h, _, k, secret := settle(t, s)
	admit := func() error { _, err := h.Admit(t.Context(), machine(k, secret)); return err }
	fill(t, dir)
	full := writeUntilFull(t, h, admit)
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fileName, fileName + "-wal", fileName + "-shm"} { // what kill -9 leaves, with room from the ballast
		if err := clone(filepath.Join(killed, name), filepath.Join(data, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fill(t, dir)
	for name, folder := range map[string]string{"after a clean end": data, "after kill -9": killed} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := openTest(t, Config{Dir: folder})
				h := s.For(full.Tenant.ID)
				if l, err := h.Load(t.Context()); err != nil || !reflect.DeepEqual(l, full) {
					t.Errorf("%d nodes at %d, %v; want %d at %d", len(l.Nodes), l.Tenant.Hard, err, len(full.Nodes), full.Tenant.Hard)
				}
				_, err := h.Admit(t.Context(), machine(k, secret))
				if !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), "full") {
					t.Errorf("writing: %v", err)
				}
				empty(t, dir)
				time.Sleep(2 * retry)
				if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
					t.Errorf("when there is room again: %v", err)
				}
				if l, err := h.Load(t.Context()); err != nil || len(l.Nodes) != len(full.Nodes)+1 {
					t.Errorf("%d nodes, %v; want %d", len(l.Nodes), err, len(full.Nodes)+1)
				}
				fill(t, dir)
			})
		})
	}
}

// clone copies as much of a file as is in it, without the reserve that a copy by blocks would take.
func clone(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func TestItStartsOnAReadOnlyDiskAndHeals(t *testing.T) {
	dir, inside := smallDisk(t)
	if !inside {
		return
	}
	s := openTest(t, Config{Dir: dir})
	h, _, k, secret := settle(t, s)
	if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
		t.Fatal(err)
	}
	before, err := h.Load(t.Context())
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v", err)
	}
	if _, err := Open(context.Background(), Config{Dir: filepath.Join(dir, "new")}); err == nil {
		t.Error("a new store on a read-only disk")
	}
	synctest.Test(t, func(t *testing.T) {
		s := openTest(t, Config{Dir: dir})
		h := s.For(before.Tenant.ID)
		if l, err := h.Load(t.Context()); err != nil || !reflect.DeepEqual(l, before) {
			t.Errorf("%+v, %v", l, err)
		}
		_, err := h.Admit(t.Context(), machine(k, secret))
		if !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), "make "+dir+" writable") {
			t.Errorf("writing: %v", err)
		}
		time.Sleep(time.Minute)
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=24m"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * retry)
		if _, err := h.Admit(t.Context(), machine(k, secret)); err != nil {
			t.Errorf("when it is writable again: %v", err)
		}
		if l, err := h.Load(t.Context()); err != nil || len(l.Nodes) != 2 {
			t.Errorf("%d nodes, %v", len(l.Nodes), err)
		}
		if _, err := Open(context.Background(), Config{Dir: dir}); err == nil {
			t.Error("the lock was not taken when it could be")
		}
	})
}
