package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Host is one computer or router: its own network, mount and UTS namespace. /run (with the home folder), /etc and
// /var/lib are its own, /tmp and the rest are shared with the machine; its host name is its name.
type Host struct {
	lab    *Lab
	name   string
	dir    string
	site   *Site // the LAN it stands on; nil on the internet
	legs   []leg // the LANs that it is wired to; it uses one
	up     *uplink
	v4     netip.Addr
	v6     netip.Addr
	nl     *netlink.Handle
	spaces []space
	faults faults

	calls chan func()   // run on the host's own thread
	quit  chan struct{} // closed to end that thread
	gone  chan struct{} // closed when it has ended

	mu    sync.Mutex
	progs []*Proc
}

// space is one namespace of a host, held open.
type space struct {
	file *os.File
	kind int
}

// Name returns the host's name, which is its host name too.
func (h *Host) Name() string { return h.name }

// Addr returns the host's own IPv4 address, or its IPv6 address where it has no other.
func (h *Host) Addr() netip.Addr {
	if h.v4.IsValid() {
		return h.v4
	}
	return h.v6
}

// Addr6 returns the host's IPv6 address; the zero Addr where its site has none.
func (h *Host) Addr6() netip.Addr { return h.v6 }

// Path returns where a file of the host's own /run, /etc or /var/lib is found from outside the host, in the sandbox.
func (h *Host) Path(path string) string { return filepath.Join(h.dir, path) }

// Do runs f on a thread inside the host and returns its error. Sockets made by f belong to the host for as long as they
// live. Goroutines that f starts run outside. f must not end the test by t.Fatal.
func (h *Host) Do(f func() error) error {
	err := errors.New("the function left by Goexit; it must return")
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread has left its namespaces and ends with the goroutine.
		runtime.LockOSThread()
		if e := h.enter(); e != nil {
			err = e
			return
		}
		err = f()
	}()
	<-done
	return err
}

// enter moves the calling thread into the host. A thread that shares its working directory with others may not change
// its mount namespace, so it takes a copy first.
func (h *Host) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter %s: %w", h.name, err)
	}
	for _, s := range h.spaces {
		if err := unix.Setns(int(s.file.Fd()), s.kind); err != nil {
			return fmt.Errorf("enter %s: %w", h.name, err)
		}
	}
	return nil
}

// on runs f on the host's own thread, one call after another: for what is short, and for starting processes, whose
// death signal is tied to the thread that made them.
func (h *Host) on(f func() error) error {
	var err error
	done := make(chan struct{})
	select {
	case h.calls <- func() { defer close(done); err = f() }:
	case <-h.gone:
		return fmt.Errorf("%s is gone: the laboratory has ended", h.name)
	}
	<-done
	return err
}

func newHost(l *Lab, name string, forwards bool) (*Host, error) {
	h := &Host{
		lab: l, name: name, dir: filepath.Join(l.dir, "hosts", name),
		calls: make(chan func()), quit: make(chan struct{}), gone: make(chan struct{}),
	}
	made := make(chan error)
	go h.live(forwards, made)
	if err := <-made; err != nil {
		<-h.gone
		h.release()
		return nil, err
	}
	if err := h.publish(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// live is the host's own thread: it makes the namespaces and then serves calls until close.
func (h *Host) live(forwards bool, made chan<- error) {
	defer close(h.gone)
	runtime.LockOSThread() // never unlocked, see Do
	if err := h.build(forwards); err != nil {
		made <- err
		return
	}
	made <- nil
	for {
		select {
		case f := <-h.calls:
			f()
		case <-h.quit:
			return
		}
	}
}

func (h *Host) build(forwards bool) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("make namespaces: %w", err)
	}
	if err := h.furnish(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(h.name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	for _, s := range []struct {
		name string
		kind int
	}{{"net", unix.CLONE_NEWNET}, {"mnt", unix.CLONE_NEWNS}, {"uts", unix.CLONE_NEWUTS}} {
		f, err := os.Open("/proc/thread-self/ns/" + s.name)
		if err != nil {
			return fmt.Errorf("hold a namespace: %w", err)
		}
		h.spaces = append(h.spaces, space{f, s.kind})
	}
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	h.nl = nl
	return h.prepareNetwork(forwards)
}

// furnish mounts the host's private folders. The sandbox's own /run goes out of sight last.
func (h *Host) furnish() error {
	run := filepath.Join(h.dir, "run")
	if err := bind(root+"/machine", run+"/lab/machine"); err != nil {
		return err
	}
	for _, d := range []string{"lock", "home"} {
		if err := os.MkdirAll(filepath.Join(run, d), 0o755); err != nil {
			return err
		}
	}
	if err := furnishPrivate(h.dir); err != nil {
		return err
	}
	return bind(run, "/run")
}

// publish gives the network namespace a name for tools that look into /run/netns. A name that another laboratory of
// the same sandbox has taken is left to it.
func (h *Host) publish() error {
	path := h.published()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o444)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("name the network namespace: %w", err)
	}
	f.Close()
	from := fmt.Sprintf("/proc/self/fd/%d", h.spaces[0].file.Fd())
	if err := unix.Mount(from, path, "", unix.MS_BIND, ""); err != nil {
		os.Remove(path)
		return fmt.Errorf("name the network namespace: %w", err)
	}
	return nil
}

func (h *Host) published() string { return "/run/netns/" + h.name }

// close ends the host's thread and lets its namespaces go. Its processes have ended before.
func (h *Host) close() error {
	close(h.quit)
	<-h.gone
	err := h.unpublish()
	h.release()
	return err
}

func (h *Host) unpublish() error {
	var named, own unix.Stat_t
	if unix.Stat(h.published(), &named) != nil || unix.Fstat(int(h.spaces[0].file.Fd()), &own) != nil || named.Ino != own.Ino {
		return nil // not ours
	}
	if err := unix.Unmount(h.published(), unix.MNT_DETACH); err != nil {
		return fmt.Errorf("take down the name of %s: %w", h.name, err)
	}
	return os.Remove(h.published())
}

func (h *Host) release() {
	if h.nl != nil {
		h.nl.Close()
	}
	for _, s := range h.spaces {
		s.file.Close()
	}
}
