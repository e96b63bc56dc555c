// Command relay measures a relay: it starts one in a process of its own on core 0, loads it through real sockets from core 1, and prints what a
// packet and a client cost it, beside what a bare forwarder's packets cost on the same machine, each as a line "FIGURE name value unit". CPU is what the relay's process has used (getrusage), memory its VmRSS.
package main

import (
	"flag"
	"fmt"
	"os"
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
	peers   string
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
	flag.StringVar(&o.peers, "peers", "", "measure beside other relays, whose programs are in this folder; the parts are then: "+strings.Join(rivals(), ", "))
	flag.Parse()
	run := func() error { return measure(o) }
	switch *role {
	case relayRole:
		run = serve
	case bareRole:
		run = serveBare
	case bareQUICRole:
		run = serveBareQUIC
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// What the child is.
const (
	relayRole    = "relay"
	bareRole     = "bare" // forwards without looking: see bare_linux.go
	bareQUICRole = "bare-quic"
)

// part is a kind of load or of idle clients, each with a fresh child.
type part struct {
	name, role string
	run        func(*child, options) error
}

func parts() []part {
	return []part{
		{"udp", relayRole, loaded("udp", "relay_udp_cpu_s_per_mpkt", udpBulk)},
		{"bare", bareRole, loaded("bare", "relay_bare_cpu_s_per_mpkt", bareBulk)},
		{"paced", relayRole, loaded("udp paced", "relay_udp_paced_cpu_s_per_mpkt", udpPaced)},
		{"bare-paced", bareRole, loaded("bare paced", "relay_bare_paced_cpu_s_per_mpkt", barePaced)},
		{"gso", relayRole, loaded("udp trains", "relay_udp_gso_cpu_s_per_mpkt", udpTrains)},
		{"quic", relayRole, loaded("quic", "relay_quic_cpu_s_per_mpkt", quicBulk)},
		{"tls", relayRole, loaded("tls", "relay_tls_cpu_s_per_mpkt", tlsBulk)},
		{"idle-udp", relayRole, idleUDP}, {"idle-quic", relayRole, idleQUIC}, {"idle-tls", relayRole, idleTLS},
	}
}

func names() (all []string) {
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

// derperIdlePart is the name of the part that measures derper's memory.
const derperIdlePart = "idle-derper"

func rivals() (all []string) {
	for _, d := range duels() {
		all = append(all, d.name)
	}
	return append(all, derperIdlePart)
}

// measure runs the parts that are wanted.
func measure(o options) error {
	if o.peers != "" {
		return beat(o)
	}
	for _, p := range parts() {
		if !strings.HasPrefix(p.name, o.only) {
			continue
		}
		if err := one(p, o); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func one(p part, o options) error {
	c, err := launch(p.role)
	if err != nil {
		return err
	}
	defer c.stop()
	return p.run(c, o)
}

// beat runs the parts that measure beside other relays.
func beat(o options) error {
	for _, d := range duels() {
		if !strings.HasPrefix(d.name, o.only) {
			continue
		}
		if err := d.fight(o); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	if strings.HasPrefix(derperIdlePart, o.only) {
		return derperIdle(o)
	}
	return nil
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
