package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/core/forward"
	"github.com/cvlan/cvlan/internal/lab/caller"
	"github.com/cvlan/cvlan/relay/server"
)

// reading is what the relay's process says of itself.
type reading struct {
	CPU     float64 // seconds, user and system
	Frames  uint64  // forwarded
	Dropped map[string]uint64
	Mallocs uint64
	RSS     int // KiB
	File    int // of it, the program's own pages
	Heap    uint64
	Idle    uint64 // bytes of the heap that are kept from the system though nothing is in them
	Stacks  uint64
	Clients int
}

// serve is the relay's process: it answers each line of its input with a reading.
func serve() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(server.GCPercent) // as cvlan-relay does
	}
	conf, err := caller.ServerTLS()
	if err != nil {
		return err
	}
	s, err := server.New(server.Config{TLS: conf, Admit: caller.Anyone{}, PerSource: 1024, Calm: debug.FreeOSMemory, Forward: forward.Config{Idle: time.Hour}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	fmt.Println(s.Port())
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := out.Encode(read(s)); err != nil {
			break
		}
	}
	cancel()
	return <-done
}

func read(s *server.Server) reading {
	var m runtime.MemStats
	rss, file := residentKiB(os.Getpid(), "VmRSS:"), residentKiB(os.Getpid(), "RssFile:")
	runtime.ReadMemStats(&m)
	st := s.Stats()
	r := reading{
		CPU:    processor(),
		Frames: st.Frames[forward.Sent] - st.Frames[forward.DropQueueFull], Dropped: map[string]uint64{}, Mallocs: m.Mallocs, RSS: rss, File: file, Heap: m.HeapInuse, Idle: m.HeapIdle - m.HeapReleased, Stacks: m.StackInuse, Clients: st.Clients,
	}
	for d, n := range st.Frames {
		r.Dropped[d.String()] = n
	}
	return r
}

// processor is how many seconds of processor time this process has used.
func processor() float64 {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return float64(use.Utime.Sec+use.Stime.Sec) + float64(use.Utime.Usec+use.Stime.Usec)/1e6
}

func residentKiB(pid int, field string) (n int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			fmt.Sscan(rest, &n)
		}
	}
	return n
}

// child is a process that answers lines: a relay, or clients.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	first string // what it said first
	addr  string // of a relay
}

// The relay has one core, and what loads it another.
const relayCore = 0

var loadCore = min(1, runtime.NumCPU()-1)

// launch starts a relay on its core.
func launch(role string) (*child, error) {
	c, err := start(relayCore, "/proc/self/exe", "-role", role)
	if err == nil {
		c.addr = "127.0.0.1:" + c.first
	}
	return c, err
}

// start starts a program on a core and waits for what it says first.
func start(core int, program string, args ...string) (*child, error) {
	c := &child{cmd: exec.Command(program, args...)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.lines = bufio.NewScanner(out)
	if err := startOn(core, c.cmd); err != nil {
		return nil, err
	}
	if !c.lines.Scan() {
		return nil, fmt.Errorf("%s says nothing: %w", program, c.cmd.Wait())
	}
	c.first = c.lines.Text()
	return c, nil
}

// startOn starts a command on a core, and has this process stay on that of the load.
func startOn(core int, cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := pin(core); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), pinAll(loadCore))
}

func (c *child) read() (reading, error) { return c.ask("") }

// ask writes a line and reads the reading that answers it.
func (c *child) ask(line string) (r reading, err error) {
	answer, err := c.say(line)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(answer, &r)
}

// say writes a line and returns its answer.
func (c *child) say(line string) ([]byte, error) {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return nil, err
	}
	if !c.lines.Scan() {
		return nil, fmt.Errorf("%s has ended", c.cmd.Path)
	}
	return c.lines.Bytes(), nil
}

func (c *child) stop() {
	c.in.Close()
	c.cmd.Wait()
}
