package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Keep leaves the laboratory up until the context ends. It prints how to enter each host from a shell of the
// machine (nsenter is part of util-linux) and how to end.
func (l *Lab) Keep(ctx context.Context, w io.Writer) error {
	fmt.Fprintln(w, "The laboratory stays up. To enter a host, type in another terminal of the same user:")
	spaces := "--mount --uts --ipc --net --pid"
	if os.Getenv(userVar) != "" {
		spaces = "--user --preserve-credentials " + spaces
	}
	for _, h := range l.Hosts() {
		pid, err := h.anchor()
		if err != nil {
			return fmt.Errorf("keep %s: %w", h.name, err)
		}
		fmt.Fprintf(w, "  %-14s %-16s nsenter --target %d %s\n", h.name, h.address(), pid, spaces)
	}
	pid, err := os.Readlink(outerProc + "/self")
	if err != nil {
		return fmt.Errorf("find this process outside: %w", err)
	}
	fmt.Fprintf(w, "To end: ctrl-C here, or kill %s\n", pid)
	<-ctx.Done()
	return nil
}

func (h *Host) address() string {
	if !h.Addr().IsValid() {
		return "-"
	}
	return h.Addr().String()
}

// anchor starts a process that does nothing but stand in the host's namespaces, and returns its number as the one
// who started the sandbox sees it. The process finds it out by itself: the outer /proc tells each reader its own.
func (h *Host) anchor() (pid int, err error) {
	outer, err := os.Open(outerProc)
	if err != nil {
		return 0, err
	}
	defer outer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := h.Command(context.Background(), "/proc/self/exe")
	c.Env = append(c.Env, stageVar+"="+stageAnchor)
	c.ExtraFiles = []*os.File{outer}
	p := h.StartCmd(c)
	if err := p.WaitLog(ctx, "\n"); err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(p.Log(), &pid); err != nil {
		return 0, fmt.Errorf("read the anchor's number %q: %w", p.Log(), err)
	}
	return pid, nil
}

// anchorStage is the anchor's whole life. It ends by a signal, with the laboratory.
func anchorStage() int {
	buf := make([]byte, 32)
	n, err := unix.Readlinkat(3, "self", buf)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: read the outer /proc:", err)
		return 1
	}
	fmt.Println(string(buf[:n]))
	unix.Close(3)
	for {
		_ = unix.Pause() // it returns at every signal that does not end the process
	}
}
