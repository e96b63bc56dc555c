// Package deploy puts the project's programs on the hosts of a laboratory, the way a person would: by their command lines.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
)

const (
	// Port is where a controller listens, both UDP and TCP.
	Port = 8443
	// data and keys are the folders that a controller and a person use on their host.
	data    = "/var/lib/cvlan-controller"
	profile = "/var/lib/profile"

	patience = 15 * time.Second // for a program to say that it is ready
)

// Set is a folder of built programs.
type Set struct {
	Bin string
	// Heard is told each command line that was run to its end, and both its streams; nil: nobody.
	Heard func(command, output string)
}

// Path returns where a program is.
func (s Set) Path(program string) string { return filepath.Join(s.Bin, program) }

// Controller is a controller on a host, and an admin who is logged in to it on the same host.
type Controller struct {
	Host *lab.Host
	Proc *lab.Proc
	set  Set
	args []string
}

// Controller starts a controller with a fresh database and logs an admin in. args are more arguments of serve.
func (s Set) Controller(ctx context.Context, h *lab.Host, args ...string) (*Controller, error) {
	c := &Controller{Host: h, set: s, args: args}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	_, err := c.Admin(ctx, "", "login", "--key-file", data+"/admin.key")
	return c, err
}

// Start starts the controller, again after it was killed, and waits until it serves.
func (c *Controller) Start(ctx context.Context) error {
	c.Proc = c.Host.Start(c.set.Path("cvlan-controller"), append([]string{"serve", "--data", data, "--listen", fmt.Sprintf(":%d", Port),
		"--address", fmt.Sprintf("%s:%d", c.Host.Addr(), Port)}, c.args...)...)
	return ready(ctx, c.Proc, "is ready at")
}

// Config runs `cvlan-controller config …` on the controller's folder, whether it runs or not.
func (c *Controller) Config(ctx context.Context, verb string, args ...string) (string, error) {
	return c.set.run(c.Host.Command(ctx, c.set.Path("cvlan-controller"), append([]string{"config", verb, "--data", data}, args...)...))
}

// Data is the controller's data folder, on its host.
func (c *Controller) Data() string { return data }

// Admin runs `cvlan admin …` with stdin as its input.
func (c *Controller) Admin(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := c.Host.Command(ctx, c.set.Path("cvlan"), append([]string{"admin"}, args...)...)
	cmd.Env = append(cmd.Environ(), "XDG_CONFIG_HOME="+profile, "HOME="+profile)
	cmd.Stdin = strings.NewReader(stdin)
	return c.set.run(cmd)
}

// Key makes a join key.
func (c *Controller) Key(ctx context.Context, network string, args ...string) (string, error) {
	out, err := c.Admin(ctx, "", append([]string{"key", "create", "--network", network}, args...)...)
	return strings.TrimSpace(out), err
}

// Node is a daemon on a host.
type Node struct {
	Host    *lab.Host
	Proc    *lab.Proc
	set     Set
	command []string
}

// Node starts a daemon and waits until its socket answers. args are more arguments of cvland.
func (s Set) Node(ctx context.Context, h *lab.Host, args ...string) (*Node, error) {
	n := &Node{Host: h, set: s, command: append([]string{s.Path("cvland")}, args...)}
	return n, n.Start(ctx)
}

// FIPS is Node for a daemon in FIPS mode, for which every build has a Go Cryptographic Module.
func (s Set) FIPS(ctx context.Context, h *lab.Host, args ...string) (*Node, error) {
	n := &Node{Host: h, set: s, command: append([]string{"/usr/bin/env", "GODEBUG=fips140=on", s.Path("cvland"), "--fips"}, args...)}
	return n, n.Start(ctx)
}

// Proxied is Node for a daemon whose environment names an HTTP proxy.
func (s Set) Proxied(ctx context.Context, h *lab.Host, proxy string, args ...string) (*Node, error) {
	n := &Node{Host: h, set: s, command: append([]string{"/usr/bin/env", "HTTPS_PROXY=" + proxy, s.Path("cvland")}, args...)}
	return n, n.Start(ctx)
}

// Start starts the daemon, again after it was killed.
func (n *Node) Start(ctx context.Context) error {
	n.Proc = n.Host.Start(n.command[0], n.command[1:]...)
	return ready(ctx, n.Proc, ": state in ") // from then on the socket takes connections
}

// Join brings the node into a network; the key goes in by standard input.
func (n *Node) Join(ctx context.Context, key string, args ...string) (string, error) {
	cmd := n.Host.Command(ctx, n.set.Path("cvlan"), append([]string{"up", "--key-file", "-"}, args...)...)
	cmd.Stdin = strings.NewReader(key)
	return n.set.run(cmd)
}

// CLI runs cvlan on the node.
func (n *Node) CLI(ctx context.Context, args ...string) (string, error) {
	return n.set.run(n.Host.Command(ctx, n.set.Path("cvlan"), args...))
}

// Run runs a prepared command to its end, as another user, say.
func (n *Node) Run(cmd *lab.Cmd) (string, error) { return n.set.run(cmd) }

// ready waits for a program's line; a program that ends before says why itself.
func ready(ctx context.Context, p *lab.Proc, text string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := p.WaitLog(ctx, text); err != nil {
		return fmt.Errorf("wait for %q: %w; its output:\n%s", text, err, p.Log())
	}
	return nil
}

// Failure is a command that ended with an exit code other than 0.
type Failure struct {
	Command string
	Code    int
	Output  string // both streams
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s: exit code %d:\n%s", f.Command, f.Code, strings.TrimSpace(f.Output))
}

// run runs a command to its end and returns its standard output; a *Failure when its exit code is not 0.
func (s Set) run(cmd *lab.Cmd) (string, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	line := strings.Join(append([]string{filepath.Base(cmd.Args[0])}, cmd.Args[1:]...), " ")
	if s.Heard != nil {
		s.Heard(line, string(out)+stderr.String())
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), &Failure{line, exit.ExitCode(), string(out) + stderr.String()}
	}
	return string(out), err
}
