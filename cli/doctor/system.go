package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"slices"
	"strings"
	"time"
)

// System is the host that the program runs on.
type System struct{}

// patience bounds each program that is asked.
const patience = 5 * time.Second

// Look implements Host.
func (System) Look(ctx context.Context, routes []Route) HostFacts {
	h := HostFacts{System: runtime.GOOS, Root: os.Geteuid() == 0, Routes: slices.Clone(routes)}
	if u, err := user.Current(); err == nil {
		h.User = u.Username
		if g, err := user.LookupGroup("cvlan"); err == nil {
			h.Group = true
			ids, _ := u.GroupIds()
			h.Listed = slices.Contains(ids, g.Gid)
		}
	}
	h.Program, _ = exec.LookPath("cvland")
	if all, err := net.Interfaces(); err == nil {
		h.Interfaces = make(map[string]int, len(all))
		for _, i := range all {
			h.Interfaces[i.Name] = i.MTU
		}
	}
	for i := range h.Routes {
		h.Routes[i].From = source(h.Routes[i].To)
	}
	special(ctx, &h)
	return h
}

// source asks the system which of its addresses it would send from; nothing is sent.
func source(to netip.Addr) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}

// Journal implements Host.
func (System) Journal(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--unit=cvland", "--lines=500", "--no-pager", "--quiet").Output()
	if err != nil {
		return ""
	}
	return string(out)
}

// Run implements Host.
func (System) Run(ctx context.Context, command []string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if said := bytes.TrimSpace(out); err != nil && len(said) > 0 {
		return fmt.Errorf("%w: %.300s", err, said)
	}
	return err
}

// ask returns the first line that a program prints; "" if it fails.
func ask(ctx context.Context, command ...string) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}
