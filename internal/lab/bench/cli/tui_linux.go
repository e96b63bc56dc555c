package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/creack/pty"

	"github.com/cvlan/cvlan/internal/lab/figure"
)

// hertz is the unit of times in /proc, the same on every Linux that Go runs on.
const hertz = 100

// settle is how long the interface is left alone before its time is taken: a poll or two.
const settle = 5 * time.Second

// watch starts the interface on a terminal of 200 by 50 and measures what it takes while nobody touches it.
func watch(ctx context.Context, program string, peers int, idle time.Duration) error {
	d, err := startDaemon(peers)
	if err != nil {
		return err
	}
	defer d.stop()
	c := exec.CommandContext(ctx, program, "tui", "--socket", d.socket)
	c.Env = append(os.Environ(), "TERM=xterm-256color", "COLORTERM=truecolor", "XDG_CONFIG_HOME="+d.dir)
	tty, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		return err
	}
	defer tty.Close()
	first, drained := make(chan struct{}), make(chan int)
	go drain(tty, first, drained)
	select {
	case <-first:
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the interface shows nothing"), c.Process.Kill(), c.Wait())
	}
	cpu, err := spent(ctx, c.Process.Pid, idle)
	if err != nil {
		return err
	}
	rss, err := resident(c.Process.Pid)
	if err != nil {
		return err
	}
	name := "tui_idle_cpu_pct"
	if peers != 10000 {
		name += "_" + strconv.Itoa(peers)
	}
	figure.Print(os.Stdout, name, cpu, "%", fmt.Sprintf("of a core, %d peers; %.0f MB resident", peers, rss/1e6))
	if _, err := tty.WriteString("q"); err != nil {
		return err
	}
	<-drained
	return c.Wait()
}

// drain reads what the interface draws, and says when it has begun and how much it was.
func drain(tty *os.File, first chan<- struct{}, done chan<- int) {
	total := 0
	for b := make([]byte, 64<<10); ; {
		n, err := tty.Read(b)
		if total == 0 && n > 0 {
			close(first)
		}
		if total += n; err != nil {
			done <- total
			return
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spent returns what share of a core a process takes, in percent, once it has settled.
func spent(ctx context.Context, pid int, idle time.Duration) (float64, error) {
	if err := wait(ctx, settle); err != nil {
		return 0, err
	}
	before, err := ticks(pid)
	if err != nil {
		return 0, err
	}
	if err := wait(ctx, idle); err != nil {
		return 0, err
	}
	after, err := ticks(pid)
	return float64(after-before) / hertz / idle.Seconds() * 100, err
}

// ticks returns the processor time that a process has taken (proc(5): utime and stime).
func ticks(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name before may hold blanks
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat is of another form", pid)
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	return user + system, errors.Join(err1, err2)
}

// resident returns the bytes of memory that a process has.
func resident(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm is of another form", pid)
	}
	pages, err := strconv.Atoi(f[1])
	return float64(pages * os.Getpagesize()), err
}
