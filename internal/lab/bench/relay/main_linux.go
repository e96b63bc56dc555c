// Command relay measures a relay: it starts one in a process of its own on core 0, loads it through real sockets from core 1, and prints what a
// packet and a client cost it, beside what a bare forwarder's packets cost on the same machine, each as a line "FIGURE name value unit". CPU is what the relay's process has used (getrusage), memory its VmRSS.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Packets are of this size, and travel between so many pairs of clients.
const (
	payload = 1280
	pairs   = 10
	pace    = 20_000 // packets a second of all pairs, where they do not send as fast as they can
)

type options struct {
	runs    int
	each    time.Duration
	clients int           // whose memory is measured, on the fast path
	kept    int           // likewise, over QUIC and TLS
	settle  time.Duration // before memory is looked at
	only    string
}

func main() {
	o := options{}
	role := flag.String("role", "", "internal: relay or bare")
	flag.IntVar(&o.runs, "runs", 3, "runs of each load")
	flag.DurationVar(&o.each, "for", 3*time.Second, "how long a load lasts")
	flag.IntVar(&o.clients, "clients", 10_000, "idle clients on the fast path")
	flag.IntVar(&o.kept, "kept", 2000, "idle clients over QUIC and over TLS")
	flag.DurationVar(&o.settle, "settle", time.Minute, "between the last registration and a look at memory")
	flag.StringVar(&o.only, "only", "", "run only parts whose names begin so: "+strings.Join(names(), ", "))
	flag.Parse()
	run := func() error { return bench(o) }
	switch *role {
	case relayRole:
		run = serve
	case bareRole:
		run = serveBare
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// What the child is.
const (
	relayRole = "relay"
	bareRole  = "bare" // forwards without looking: see bare_linux.go
)

// part is a kind of load or of idle clients, each with a fresh child.
type part struct {
	name, role string
	run        func(*child, options) error
}

func parts() []part {
	return []part{
		{"udp", relayRole, udpBulk}, {"bare", bareRole, bareBulk}, {"paced", relayRole, udpPaced}, {"bare-paced", bareRole, barePaced},
		{"gso", relayRole, udpTrains}, {"quic", relayRole, quicBulk}, {"tls", relayRole, tlsBulk},
		{"idle-udp", relayRole, idleUDP}, {"idle-quic", relayRole, idleQUIC}, {"idle-tls", relayRole, idleTLS},
	}
}

func names() (all []string) {
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

func bench(o options) error {
	cores := []int{0, min(1, runtime.NumCPU()-1)}
	for _, p := range parts() {
		if !strings.HasPrefix(p.name, o.only) {
			continue
		}
		if err := one(p, o, cores); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func one(p part, o options, cores []int) error {
	c, err := launch(p.role, cores[0])
	if err != nil {
		return err
	}
	defer c.stop()
	return p.run(c, o)
}

// pin binds the calling thread, and what it starts, to a core.
func pin(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(0, &set)
}

// pinAll binds all threads of this process to a core.
func pinAll(core int) error {
	var set unix.CPUSet
	set.Set(core)
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for t := range slices.Values(tasks) {
		var id int
		fmt.Sscan(t.Name(), &id)
		if err := unix.SchedSetaffinity(id, &set); err != nil {
			return err
		}
	}
	return nil
}
