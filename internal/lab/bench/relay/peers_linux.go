package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cvlan/cvlan/internal/lab/figure"
)

// The load of derper: it queues 32 packets for a client, so no more of a pair are under way.
const (
	derpWindow = "32"
	derpBatch  = "16" // packets a write, as those of our TLS clients: what makes derper cheapest
)

// duel measures one of our loads beside another relay's, in turns, and prints how our cost compares.
type duel struct {
	name, figure string
	ours         func(*child) (*load, error)
	theirs       func(options, *bench) (*side, error)
	theirFigure  string
}

func duels() []duel {
	bulk := func(o options, b *bench) (*side, error) { return derper(o, b, "-batch", derpBatch) }
	paced := func(o options, b *bench) (*side, error) { return derper(o, b, "-rate", strconv.Itoa(pace)) }
	return []duel{
		{"udp-derper", "relay_over_derper_cpu_ratio", udpBulk, bulk, "derper_cpu_s_per_mpkt"},
		{"paced-derper", "relay_paced_over_derper_cpu_ratio", udpPaced, paced, "derper_paced_cpu_s_per_mpkt"},
		{"tls-derper", "relay_tls_over_derper_cpu_ratio", tlsBulk, bulk, ""},
		{"quic-bare", "relay_quic_over_bare_cpu_ratio", quicBulk, plainQUIC, "relay_bare_quic_cpu_s_per_mpkt"},
	}
}

// fight has both take turns, and ends what it has started.
func (d *duel) fight(o options) error {
	var b bench
	defer b.close()
	ours, err := b.loaded(relayRole, "relay", d.ours)
	if err != nil {
		return err
	}
	theirs, err := d.theirs(o, &b)
	if err != nil {
		return err
	}
	all, err := turns(o, ours, theirs)
	if err != nil {
		return err
	}
	var ratios []float64
	for i := range all[0] {
		ratios = append(ratios, all[0][i].cost/all[1][i].cost)
	}
	if d.theirFigure != "" {
		figure.Spread(os.Stdout, d.theirFigure, "CPU-s", costs(all[1]))
	}
	figure.Spread(os.Stdout, d.figure, "x", ratios)
	return nil
}

func plainQUIC(_ options, b *bench) (*side, error) {
	return b.loaded(bareQUICRole, "bare quic", bareQUICBulk)
}

// bench is what a measurement has started.
type bench struct{ ends []func() }

func (b *bench) close() {
	for i := len(b.ends) - 1; i >= 0; i-- {
		b.ends[i]()
	}
}

// loaded starts a child and loads it.
func (b *bench) loaded(role, name string, make func(*child) (*load, error)) (*side, error) {
	c, err := launch(role)
	if err != nil {
		return nil, err
	}
	b.ends = append(b.ends, c.stop)
	l, err := make(c)
	if err != nil {
		return nil, err
	}
	s := l.side(c, name)
	b.ends = append(b.ends, s.close)
	return s, nil
}

// derper starts Tailscale's relay as its users do, with a certificate of its own, and clients of it, which are in a process of their own too.
func derper(o options, b *bench, args ...string) (*side, error) {
	addr, pid, err := b.derper(o)
	if err != nil {
		return nil, err
	}
	l, err := b.clients(o, addr, append(args, "-pairs", strconv.Itoa(pairs), "-size", strconv.Itoa(payload), "-window", derpWindow)...)
	if err != nil {
		return nil, err
	}
	read := func() (r reading, err error) {
		var n uint64
		if n, err = l.count(""); err != nil {
			return r, err
		}
		cpu, err := processorOf(pid)
		return reading{CPU: cpu, Frames: n}, err
	}
	begin := func() (func(), error) {
		_, err := l.count("go")
		return func() { l.count("stop") }, err
	}
	return &side{name: "derper", read: read, begin: begin, close: func() {}}, nil
}

// derper starts the program on the relays' core and waits until it listens.
func (b *bench) derper(o options) (addr string, pid int, err error) {
	dir, err := os.MkdirTemp("", "derper")
	if err != nil {
		return "", 0, err
	}
	b.ends = append(b.ends, func() { os.RemoveAll(dir) })
	if addr, err = vacant(); err != nil {
		return "", 0, err
	}
	cmd := exec.Command(filepath.Join(o.peers, "derper"), "-a", addr, "-hostname", "127.0.0.1", "-certmode", "manual", "-certdir", dir,
		"-c", filepath.Join(dir, "key"), "-http-port", "-1", "-stun=false")
	if err := startOn(relayCore, cmd); err != nil {
		return "", 0, fmt.Errorf("%w; make bench-relay-peers builds it", err)
	}
	b.ends = append(b.ends, func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for range 100 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, cmd.Process.Pid, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "", 0, fmt.Errorf("%s does not listen at %s; start it by hand to see why", cmd.Path, addr)
}

// clients starts those of derper and waits until all are there.
func (b *bench) clients(o options, addr string, args ...string) (*child, error) {
	c, err := start(loadCore, filepath.Join(o.peers, "derp"), append(args, "-addr", addr)...)
	if err != nil {
		return nil, err
	}
	b.ends = append(b.ends, c.stop)
	if c.first != "ready" {
		return nil, errors.New("derper's clients say " + c.first)
	}
	return c, nil
}

// count writes a line and reads the number that answers it.
func (c *child) count(line string) (n uint64, err error) {
	answer, err := c.say(line)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(answer), 10, 64)
}

// vacant is an address where nobody listens.
func vacant() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// hertz is how many parts of a second /proc counts in, on every architecture.
const hertz = 100

// processorOf is processor for another process: proc_pid_stat(5), fields 14 and 15.
func processorOf(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err1 := strconv.Atoi(string(fields[11]))
	system, err2 := strconv.Atoi(string(fields[12]))
	return float64(user+system) / hertz, errors.Join(err1, err2)
}

// derperIdle tells what an idle client costs derper.
func derperIdle(o options) error {
	var b bench
	defer b.close()
	addr, pid, err := b.derper(o)
	if err != nil {
		return err
	}
	before := residentKiB(pid, "VmRSS:")
	if _, err := b.clients(o, addr, "-idle", strconv.Itoa(o.kept)); err != nil {
		return err
	}
	time.Sleep(o.settle)
	figure.Print(os.Stdout, "derper_kb_per_client", float64(residentKiB(pid, "VmRSS:")-before)/float64(o.kept), "KiB", "")
	return nil
}
