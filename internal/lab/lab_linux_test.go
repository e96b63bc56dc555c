package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/load"
	"golang.org/x/sys/unix"
)

// TestMain lets the test binary play other programs, too.
func TestMain(m *testing.M) {
	if part := os.Getenv("LAB_TEST_PART"); part != "" {
		os.Exit(play(part))
	}
	os.Exit(lab.TestMain(m))
}

func TestHostHasItsOwnNetworkAndState(t *testing.T) {
	l := lab.New(t)
	a, b := l.Public("a"), l.Public("b")
	for _, h := range []*lab.Host{a, b} {
		err := h.Do(func() error {
			name, err := os.Hostname()
			if err != nil || name != h.Name() {
				return fmt.Errorf("host name %q, %v", name, err)
			}
			for _, f := range []string{"/run/mark", "/etc/resolv.conf", "/var/lib/cvlan/mark"} {
				if err := os.WriteFile(f, []byte(h.Name()), 0o644); err != nil {
					return err
				}
			}
			return os.Rename("/etc/resolv.conf", "/etc/resolv.conf.old")
		})
		if err != nil {
			t.Fatalf("%s: %v", h.Name(), err)
		}
	}
	for _, h := range []*lab.Host{a, b} {
		for _, f := range []string{"/run/mark", "/etc/resolv.conf.old", "/var/lib/cvlan/mark"} {
			if got, err := os.ReadFile(h.Path(f)); err != nil || string(got) != h.Name() {
				t.Errorf("%s of %s holds %q, %v", f, h.Name(), got, err)
			}
		}
	}
	if got, err := os.ReadFile("/etc/passwd"); err != nil || len(got) == 0 {
		t.Errorf("the machine's own files are not readable: %v", err)
	}
}

func TestRoutedHostsReachEachOtherByBothFamilies(t *testing.T) {
	r := lab.New(t).Routed(3)
	all := append([]*lab.Host{r.Controller}, r.Nodes...)
	for _, a := range all {
		for _, b := range all {
			if a == b {
				continue
			}
			for _, to := range []string{b.Addr().String(), b.Addr6().String()} {
				if err := hello(a, b, to); err != nil {
					t.Errorf("%s to %s at %s: %v", a.Name(), b.Name(), to, err)
				}
			}
		}
	}
}

// TestThreeLANsStandWithinASecond takes the best of some: a busy machine is not what is measured.
func TestThreeLANsStandWithinASecond(t *testing.T) {
	best := time.Hour
	for n := 0; n < 20 && best > time.Second; n++ {
		start := time.Now()
		lab.New(t).Routed(3)
		best = min(best, time.Since(start))
	}
	t.Logf("built in %v", best)
	if best > time.Second {
		t.Errorf("three LANs took %v to build, want less than 1 s", best)
	}
}

// hello sends a word over TCP and back.
func hello(a, b *lab.Host, to string) error { return helloWithin(patience, a, b, to) }

func helloWithin(limit time.Duration, a, b *lab.Host, to string) error {
	ln, err := listen(b, net.JoinHostPort(to, "0"))
	if err != nil {
		return err
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			fmt.Fprint(c, "hello from ", c.RemoteAddr())
			c.Close()
		}
	}()
	return a.Do(func() error {
		c, err := net.DialTimeout("tcp", ln.Addr().String(), limit)
		if err != nil {
			return err
		}
		defer c.Close()
		buf := make([]byte, 100)
		n, err := c.Read(buf)
		if want := "hello from " + c.LocalAddr().String(); string(buf[:n]) != want {
			return fmt.Errorf("got %q, want %q: %v", buf[:n], want, err)
		}
		return nil
	})
}

func listen(h *lab.Host, addr string) (ln net.Listener, err error) {
	err = h.Do(func() (err error) { ln, err = net.Listen("tcp", addr); return err })
	return ln, err
}

func TestCommandRunsInsideTheHost(t *testing.T) {
	l := lab.New(t)
	a := l.Public("a")
	c := a.Command(t.Context(), os.Args[0])
	c.Env = append(c.Env, "LAB_TEST_PART=name")
	out, err := c.Output()
	if err != nil || strings.TrimSpace(string(out)) != "a 203.0.113.1" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := a.Run(t.Context(), "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3: why") {
		t.Errorf("the error of a failed command does not say why: %v", err)
	}
}

func TestStartedProgramIsFollowedStoppedAndKilled(t *testing.T) {
	l := lab.New(t)
	a := l.Public("a")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := a.Start("sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")
	if err := p.WaitLog(ctx, "up"); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(patience); err != nil || !strings.Contains(p.Log(), "bye") {
		t.Errorf("stop: %v, log %q", err, p.Log())
	}
	q := a.Start("sleep", "100")
	q.Kill()
	if err := q.Wait(ctx); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("a killed program ended with %v", err)
	}
	if err := q.WaitLog(ctx, "never"); err == nil || !strings.Contains(err.Error(), "ended before") {
		t.Errorf("waiting for the word of a dead program: %v", err)
	}
}

func TestHomeBelongsToTheHost(t *testing.T) {
	l := lab.New(t)
	a := l.Public("a")
	if _, err := a.Run(t.Context(), "sh", "-c", "echo mine >~/note"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(a.Path("/run/home/note")); err != nil || string(got) != "mine\n" {
		t.Errorf("the note holds %q, %v", got, err)
	}
}

// TestProjectsOwnStateOfTheMachineIsOutOfSight looks from a sandbox within this one, and gives it a machine that has
// what looks like an installation.
func TestProjectsOwnStateOfTheMachineIsOutOfSight(t *testing.T) {
	lab.New(t)
	const machine = "/run/lab/machine/var/lib"
	if err := unix.Mount("tmpfs", machine, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(machine, unix.MNT_DETACH) })
	if err := os.Mkdir(machine+"/cvlan-controller", 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := program("main-list").CombinedOutput()
	if err != nil || string(out) != "cvlan\n" {
		t.Errorf("a host sees %q of this project in /var/lib, %v", out, err)
	}
}

func TestFrozenProgramIsSilentUntilThawed(t *testing.T) {
	l := lab.New(t)
	a := l.Public("a")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := a.Start("sh", "-c", "while :; do echo tick; sleep 0.01; done")
	if err := p.WaitLog(ctx, "tick"); err != nil {
		t.Fatal(err)
	}
	a.Freeze()
	<-time.After(50 * time.Millisecond) // what was written before may still arrive
	before := len(p.Log())
	<-time.After(100 * time.Millisecond)
	if grown := len(p.Log()) - before; grown != 0 {
		t.Errorf("a frozen program wrote %d bytes", grown)
	}
	a.Thaw()
	eventually(t, func() bool { return len(p.Log()) > before }, "a thawed program stays silent")
}

// TestLoadPassesRouters also tells how fast the laboratory is by itself.
func TestLoadPassesRouters(t *testing.T) {
	l := lab.New(t)
	r := l.Routed(2)
	var s *load.Server
	err := r.Nodes[1].Do(func() (err error) { s, err = load.Listen(r.Nodes[1].Addr().String() + ":0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	err = r.Nodes[0].Do(func() error {
		through, err := load.TCP(ctx, load.Streams{To: s.Addr().String(), For: 200 * time.Millisecond})
		if err == nil && through.Gbps < 0.1 {
			err = fmt.Errorf("only %v Gbit/s pass two routers", through.Gbps)
		}
		t.Logf("%+v", through)
		return err
	})
	cancel()
	if err := errors.Join(err, <-done); err != nil {
		t.Error(err)
	}
}

func tellName() int {
	name, err := os.Hostname()
	if err != nil {
		return 1
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return 1
	}
	for _, a := range addrs {
		if ip := a.(*net.IPNet).IP; ip.IsGlobalUnicast() && ip.To4() != nil {
			fmt.Println(name, ip)
		}
	}
	return 0
}
