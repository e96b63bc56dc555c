package disk

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of a few pages in a mount namespace that ends with the test's thread.
func smallDisk(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread, and the namespace with it, dies with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		t.Skipf("needs root for a mount namespace: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Skipf("mount: %v", err)
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestFullDiskLosesNothingAndHeals(t *testing.T) {
	path := filepath.Join(smallDisk(t), "state")
	write(t, path, "kept")
	err := Write(path, make([]byte, 1<<20))
	if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "the disk is full; free some space") {
		t.Fatalf("write to a full disk: %v", err)
	}
	expect(t, path, "kept", Main)
	write(t, path, "there was space again")
	expect(t, path, "there was space again", Main)
}

func TestReadOnlyDiskIsNamed(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "state")
	write(t, path, "kept")
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v", err)
	}
	if err := Write(path, []byte("new")); !errors.Is(err, ErrReadOnly) || !strings.Contains(err.Error(), "read-only") {
		t.Fatalf("write to a read-only disk: %v", err)
	}
	expect(t, path, "kept", Main)
	if _, err := Acquire(filepath.Join(dir, "lock")); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("lock on a read-only disk: %v", err)
	}
}
