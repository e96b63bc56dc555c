// Command edit measures how long an edit of policy takes until everybody whom it concerns applies it: a controller in a process of its own,
// and in this one some hundreds of nodes as far as policy goes, which are sessions over QUIC or TLS on loopback. One in twenty does with
// its map what a node does, signatures and filter included; the others receive theirs to the last byte, take it apart and acknowledge: elsewhere
// each node has a machine of its own, and what hundreds of them do with their maps would be measured here as if the controller did it. For the same
// reason this process collects its garbage between edits; the controller, when it will.
// With -whole 700 all of them do. It needs neither root nor a laboratory, and prints FIGURE lines.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/lab/figure"
)

func main() {
	bin := flag.String("bin", "bin", "the folder with cvlan-controller")
	nodes := flag.Int("nodes", 700, "how many nodes")
	whole := flag.Int("whole", 35, "how many of them make of their map what a node does")
	edits := flag.Int("edits", 10, "how many edits of each kind")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *bin, *nodes, *whole, *edits); err != nil {
		fmt.Fprintln(os.Stderr, "bench edit:", err)
		os.Exit(1)
	}
}

// rings is how many groups of neighbours the nodes are in.
const rings = 10

func run(ctx context.Context, bin string, nodes, whole, edits int) error {
	c, err := startController(ctx, bin)
	if err != nil {
		return err
	}
	defer c.stop()
	crowd, err := c.gather(ctx, nodes, whole)
	if err != nil {
		return err
	}
	defer crowd.leave()
	fmt.Printf("%d nodes are connected, in %d rings of neighbours\n", nodes, rings)
	for _, k := range []kind{
		{"policy_edit", "everybody sees everybody, with other ports", everybody},
		{"policy_ports", "every node sees the same 140 others, with other ports", func(turn int) string { return crowd.document(1, 443+turn%2) }},
		{"policy_regroup", "every node loses 140 others and sees 140 that it did not", func(turn int) string { return crowd.document(1+turn%4, 443) }},
	} {
		if err := k.measure(ctx, c, crowd, edits); err != nil {
			return err
		}
	}
	return nil
}

// kind is a kind of edits.
type kind struct {
	name, what string
	document   func(turn int) string
}

func (k kind) measure(ctx context.Context, c *controller, crowd *crowd, edits int) error {
	if err := crowd.settle(ctx, c, k.document(1)); err != nil {
		return err
	}
	var all []time.Duration
	var bytes uint64
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	cpu := c.cpu()
	for turn := range edits {
		runtime.GC() // of hundreds of nodes at once, which no network does at one moment, on cores that the controller needs: so not during an edit
		took, n, err := crowd.edit(ctx, c, k.document(turn))
		if err != nil {
			return err
		}
		all, bytes = append(all, took...), bytes+n
	}
	cpu = c.cpu() - cpu
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	figure.Print(os.Stdout, k.name+"_p99_ms_700", ms(all[len(all)*99/100]), "ms", fmt.Sprintf("(median %.1f, last %.1f; %d edits: %s; %d KB an edit; %d of %d nodes make of it what a node does)",
		ms(all[len(all)/2]), ms(all[len(all)-1]), edits, k.what, bytes/uint64(edits)>>10, crowd.whole, len(crowd.nodes)))
	figure.Print(os.Stdout, k.name+"_cpu_ms_700", ms(cpu)/float64(edits), "ms", "(of processor time that the controller takes for such an edit)")
	return nil
}

// everybody lets all reach all, on ports that change: the edit that other products were measured with.
func everybody(turn int) string {
	return fmt.Sprintf(`{"acls": [{"src": ["*"], "dst": ["*:1-%d"]}]}`, 60000+turn%2)
}

// document lets each ring reach the one that is some steps ahead, on one port.
func (c *crowd) document(step, port int) string {
	var b strings.Builder
	b.WriteString(`{"acls": [`)
	for i, r := range c.ranges {
		fmt.Fprintf(&b, `{"src": ["%s"], "dst": ["%s:%d"]},`, r, c.ranges[(i+step)%rings], port)
	}
	return b.String() + "]}"
}
