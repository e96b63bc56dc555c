package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Cmd is an exec.Cmd that starts inside a host.
type Cmd struct {
	*exec.Cmd
	host *Host
}

// Command prepares a program to run in the host, with a home folder that is the host's own. The context's end kills
// it, and so does the end of the laboratory.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(without(os.Environ(), stageVar, userVar, "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
		"XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"), "HOME="+home)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	c.WaitDelay = 10 * time.Second // a grandchild that keeps the output open; a busy machine takes a while to read it
	return &Cmd{c, h}
}

// home is every host's home folder, in its own /run.
const home = "/run/home"

// Start starts the program and does not wait.
func (c *Cmd) Start() error { return c.host.on(c.Cmd.Start) }

// Run starts the program and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the program and returns what it wrote to its standard output. What it wrote to standard error is in the
// *exec.ExitError, unless Stderr is set.
func (c *Cmd) Output() ([]byte, error) {
	var out, diag bytes.Buffer
	c.Stdout = &out
	own := c.Stderr == nil
	if own {
		c.Stderr = &diag
	}
	err := c.Run()
	var exit *exec.ExitError
	if own && errors.As(err, &exit) {
		exit.Stderr = diag.Bytes()
	}
	return out.Bytes(), err
}

// CombinedOutput runs the program and returns all it wrote.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Run runs a program to its end and returns what it wrote to standard output. The error of a program that failed
// carries what it wrote to standard error.
func (h *Host) Run(ctx context.Context, name string, args ...string) (string, error) {
	out, err := h.Command(ctx, name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s on %s: %w: %s", filepath.Base(name), h.name, err, bytes.TrimSpace(exit.Stderr))
	}
	return string(out), err
}

// Start starts a program that keeps running. Its output goes to a log of its own.
func (h *Host) Start(name string, args ...string) *Proc {
	return h.StartCmd(h.Command(context.Background(), name, args...))
}

// StartCmd starts a prepared program, for one that wants an environment or a folder of its own. Its standard output
// and standard error are replaced by the log.
func (h *Host) StartCmd(c *Cmd) *Proc {
	h.mu.Lock()
	file := filepath.Join(h.dir, "log", fmt.Sprintf("%s.%d.log", filepath.Base(c.Path), len(h.progs)+1))
	h.mu.Unlock()
	p, err := startProc(c, file)
	h.lab.must(fmt.Sprintf("start %s on %s", filepath.Base(c.Path), h.name), err)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.progs = append(h.progs, p)
	return p
}

// Programs returns what was started on the host, ended or not, oldest first.
func (h *Host) Programs() []*Proc {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]*Proc(nil), h.progs...)
}

// Proc is a program that was started on a host.
type Proc struct {
	cmd  *Cmd
	log  *logFile
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read after done
}

func startProc(c *Cmd, file string) (*Proc, error) {
	log, err := newLog(file)
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		log.close()
		return nil, err
	}
	p := &Proc{cmd: c, log: log, done: make(chan struct{})}
	go func() {
		p.err = c.Wait()
		log.close()
		close(p.done)
	}()
	return p, nil
}

// PID returns the process number as the sandbox sees it.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// Wait waits for the program's end and returns nil for exit code 0.
func (p *Proc) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", filepath.Base(p.cmd.Path), ctx.Err())
	}
}

// Signal sends a signal to this process alone.
func (p *Proc) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the program by SIGKILL and waits until it is gone.
func (p *Proc) Kill() {
	_ = p.Signal(unix.SIGKILL) // it may have ended already
	<-p.done
}

// Stop asks the program to end by SIGTERM and waits. One that stays longer than the limit is killed, which is an
// error; so is an exit code other than 0.
func (p *Proc) Stop(limit time.Duration) error {
	_ = p.Signal(unix.SIGTERM) // it may have ended already
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := p.Wait(ctx)
	if ctx.Err() != nil {
		p.Kill()
	}
	return err
}

// Log returns what the program has written so far, the oldest part cut off beyond 1 MiB.
func (p *Proc) Log() string { return p.log.tail(keepBytes) }

// LogFile returns the path of the whole log in the sandbox.
func (p *Proc) LogFile() string { return p.log.path }

// WaitLog waits until the program's log contains text. A program that ends first is an error that shows its last words.
func (p *Proc) WaitLog(ctx context.Context, text string) error {
	for {
		grown := p.log.grown()
		if p.log.contains(text) {
			return nil
		}
		select {
		case <-grown:
		case <-p.done:
			if p.log.contains(text) {
				return nil
			}
			return fmt.Errorf("%s ended before it wrote %q: %s\n%s", filepath.Base(p.cmd.Path), text, p.state(), p.log.tail(tailBytes))
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to write %q: %w\n%s", filepath.Base(p.cmd.Path), text, ctx.Err(), p.log.tail(tailBytes))
		}
	}
}

func (p *Proc) state() string {
	select {
	case <-p.done:
		return p.cmd.ProcessState.String()
	default:
		return "running as " + strconv.Itoa(p.PID())
	}
}
