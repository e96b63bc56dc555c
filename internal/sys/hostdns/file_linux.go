package hostdns

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cvlan/cvlan/internal/core/resolvconf"
)

// file is a resolv.conf as it is.
type file struct {
	path    string // behind symbolic links
	content string
	missing bool
}

// open reads one. One that is not there is empty; a link that leads nowhere is an error.
func open(path string) (file, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if to, err := os.Readlink(path); err == nil {
			return file{}, &Fault{"names-file-unusable", fmt.Sprintf("%s is a link to %s, which does not exist", path, to), "start what makes it, or make a file of it"}
		}
		return file{path: path, missing: true}, nil
	} else if err != nil {
		return file{}, fmt.Errorf("find %s: %w", path, err)
	}
	f, err := os.Open(real)
	if err != nil {
		return file{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, resolvconf.MaxSize+1))
	if err != nil {
		return file{}, fmt.Errorf("read %s: %w", real, err)
	}
	return file{path: real, content: string(b)}, nil
}

// write puts our lines into the file, unless they are there.
func (s *System) write(f file, w Want) error {
	want := resolvconf.With(f.content, w.Server.Addr(), w.search(), hostname())
	if want == f.content {
		return nil
	}
	if _, ours := s.journal.has(f.path); !ours && resolvconf.Ours(f.content) {
		return &Fault{"names-other-daemon", fmt.Sprintf("another daemon has its names in %s", f.path), "one daemon can be in all networks; stop the other, or take its lines out: sudo cvland --cleanup --state ITS-FOLDER"}
	}
	if err := s.journal.note(touched{Path: f.path, Made: f.missing}); err != nil {
		return fmt.Errorf("keep the journal of %s: %w; it stays as it is without one", f.path, err)
	}
	if err := replace(f.path, want); err != nil {
		return errors.Join(unwritable(f.path, err), s.journal.forget(f.path))
	}
	s.o.Log.Info("names of networks put into " + f.path)
	return nil
}

// restore takes our lines out of every file of the journal but one.
func (s *System) restore(except string) error {
	var faults []error
	for _, t := range append([]touched(nil), s.journal.files...) {
		if t.Path == except {
			continue
		}
		if err := takeOut(t); err != nil {
			faults = append(faults, fmt.Errorf("take our lines out of %s: %w", t.Path, err))
			continue
		}
		if err := s.journal.forget(t.Path); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func takeOut(t touched) error {
	f, err := open(t.Path)
	if err != nil || f.missing {
		return err
	}
	was := resolvconf.Without(f.content)
	if was == "" && t.Made {
		return os.Remove(f.path)
	}
	if was == f.content {
		return nil
	}
	return replace(f.path, was)
}

// replace writes a file anew: at once, by renaming, or where the file is a mount or its folder may not be written, in place.
func replace(path, content string) error {
	mode, owner := fs.FileMode(0o644), (*syscall.Stat_t)(nil)
	if i, err := os.Stat(path); err == nil {
		mode = i.Mode().Perm()
		owner, _ = i.Sys().(*syscall.Stat_t)
	}
	err := renamed(path, content, mode, owner)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EXDEV) {
		return inPlace(path, content)
	}
	return err
}

func renamed(path, content string, mode fs.FileMode, owner *syscall.Stat_t) (err error) {
	t, err := os.CreateTemp(filepath.Dir(path), ".cvlan-resolv-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(t.Name())
		}
	}()
	if owner != nil {
		_ = t.Chown(int(owner.Uid), int(owner.Gid)) // who may not keeps its own
	}
	_, err = t.WriteString(content)
	if err = errors.Join(err, t.Chmod(mode), t.Sync(), t.Close()); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}

// inPlace writes over what is there: a reader in this very moment may see some of both.
func inPlace(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Truncate(int64(len(content))), f.Sync(), f.Close())
}

func unwritable(path string, err error) error {
	if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) {
		return &Fault{"names-file-unusable", fmt.Sprintf("%s cannot be written: %v", path, err), "let the daemon write it (chattr -i, or restart it if its service hides the file), or give it up: sudo cvlan set dns off"}
	}
	return fmt.Errorf("write %s: %w", path, err)
}
