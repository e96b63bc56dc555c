package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/internal/base/ticket"
)

// controller is a controller's process with a fresh database, and an admin's client of it.
type controller struct {
	cmd    *exec.Cmd
	dir    string
	client *admin.Client
}

func startController(ctx context.Context, bin string) (*controller, error) {
	dir, err := os.MkdirTemp("", "cvlan-bench-")
	if err != nil {
		return nil, err
	}
	c := &controller{dir: dir}
	if err := c.start(ctx, bin); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *controller) start(ctx context.Context, bin string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	l.Close()
	data := filepath.Join(c.dir, "data")
	c.cmd = exec.CommandContext(ctx, filepath.Join(bin, "cvlan-controller"), "serve", "--data", data, "--listen", addr, "--address", addr)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	said, err := c.cmd.StderrPipe()
	if err != nil {
		return err
	}
	c.cmd.Stdout = c.cmd.Stderr
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("%w; build it with: make build", err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "is ready at") {
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	go func() {
		for lines.Scan() {
		}
	}()
	text, err := os.ReadFile(filepath.Join(data, "admin.key"))
	if err != nil {
		return err
	}
	t, err := ticket.Parse(ticket.Admin, strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	c.client = admin.NewClient(t)
	return nil
}

// stop ends the process and removes what it has written.
func (c *controller) stop() {
	if c.cmd != nil && c.cmd.Process != nil {
		c.cmd.Process.Signal(syscall.SIGTERM)
		c.cmd.Wait()
	}
	os.RemoveAll(c.dir)
}

// cpu is what the process has used so far, in both modes; zero where there is no /proc.
func (c *controller) cpu() time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the third on, proc_pid_stat(5)
	var used time.Duration
	for _, f := range fields[14-3 : 16-3] {
		n, _ := strconv.Atoi(f)
		used += time.Duration(n) * tick
	}
	return used
}

// policy puts a document in force, whatever is.
func (c *controller) policy(ctx context.Context, text string) error {
	in := admin.SetPolicyIn{OneNetworkIn: admin.OneNetworkIn{InTenant: admin.InTenant{Tenant: admin.DefaultTenant}, Network: "crowd"}, Body: admin.NewPolicy{Text: text}}
	_, err := admin.Call(ctx, c.client, admin.SetPolicy, in)
	return err
}
