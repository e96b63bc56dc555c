package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// root holds everything of the laboratories of one sandbox, in its private /run.
	root = "/run/lab"
	// outerProc is the /proc of whoever started the sandbox.
	outerProc = root + "/proc"
	// runBytes bounds the memory that the state of all hosts may fill.
	runBytes = "1g"
)

// private lists the folders that the sandbox and each host see as their own. What the machine has there shows
// through, entry by entry, but for what belongs to this project; what a program puts there, even by renaming a new
// resolv.conf into place, only its own host sees.
func private() []string { return []string{"/etc", "/var/lib"} }

// furnish gives the sandbox's mount namespace its private folders.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w; run it as root or allow unprivileged user namespaces to mount (kernel.apparmor_restrict_unprivileged_userns=0)", err)
	}
	own, err := holdPrivate()
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size="+runBytes); err != nil {
		return fmt.Errorf("cannot mount a private /run: %w; run it as root or allow user namespaces to mount", err)
	}
	for _, d := range []string{root, outerProc, "/run/netns", "/run/lock"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for i, f := range own {
		if err := bind(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), machines(private()[i])); err != nil {
			return err
		}
		f.Close()
	}
	// The machine's own /proc stays readable here to tell people the process numbers that they see (Keep).
	if err := bind("/proc", outerProc); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w; a container hides parts of /proc: run it outside or in a privileged one", err)
	}
	return furnishPrivate(root + "/sandbox")
}

// holdPrivate opens the machine's own private folders before a mount hides them. In a sandbox within a sandbox they
// are where the outer one keeps them.
func holdPrivate() ([]*os.File, error) {
	var held []*os.File
	for _, d := range private() {
		f, err := openPath(machines(d))
		if os.IsNotExist(err) {
			f, err = openPath(d)
		}
		if err != nil {
			return nil, err
		}
		held = append(held, f)
	}
	return held, nil
}

func openPath(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// machines is where the machine's own folder stays reachable, in the sandbox and in each host.
func machines(dir string) string { return root + "/machine" + dir }

// furnishPrivate makes shadows of the private folders under at and mounts them in their places.
func furnishPrivate(at string) error {
	for _, d := range private() {
		if err := shadow(d, at+d); err != nil {
			return err
		}
		if d == "/etc" {
			if err := writeResolver(at + d); err != nil {
				return err
			}
		}
		if err := bind(at+d, d); err != nil {
			return err
		}
	}
	return nil
}

// shadow fills the folder at with one symbolic link for each entry of the machine's dir. Links of the machine
// are copied as they are, because a relative one means something only in its own place.
func shadow(dir, at string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(machines(dir))
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "cvlan") {
			continue // never the machine's own state and configuration
		}
		to := filepath.Join(machines(dir), e.Name())
		if e.Type()&os.ModeSymlink != 0 {
			if to, err = os.Readlink(to); err != nil {
				return err
			}
		}
		if err := os.Symlink(to, filepath.Join(at, e.Name())); err != nil {
			return err
		}
	}
	if dir == "/var/lib" {
		return os.Mkdir(filepath.Join(at, "cvlan"), 0o700)
	}
	return nil
}

// writeResolver puts a resolv.conf without a server into a shadow of /etc: names are not resolved outside.
func writeResolver(etc string) error {
	path := filepath.Join(etc, "resolv.conf")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.WriteFile(path, []byte("# a laboratory's host: no resolver\n"), 0o644)
}

// bind shows the tree from at to, which is made if it is missing. Mounts below from come along: a user namespace may
// not take them apart.
func bind(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("cannot bind %s to %s: %w", from, to, err)
	}
	return nil
}
