//go:build !windows

package disk

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private refuses a file or folder that is not this user's alone: it holds private keys, or decides what is trusted.
func private(info fs.FileInfo) error {
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: it belongs to user %d, not to %d, who runs this; chown it", ErrUnsafe, s.Uid, os.Geteuid())
	}
	if m := info.Mode().Perm(); m&0o077 != 0 {
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		return fmt.Errorf("%w: its mode is %#o; chmod it to %#o", ErrUnsafe, m, want)
	}
	return nil
}

// syncFolder makes renames in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
