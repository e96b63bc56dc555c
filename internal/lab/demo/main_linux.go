// Command demo shows the product at work: a controller and three nodes on three routed LANs, in namespaces of their own. It types
// what a person would type, shows what a person would see, and leaves nothing behind.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
)

const nodes = 3

func main() {
	bin := flag.String("bin", "bin", "folder of the built programs")
	keep := flag.Bool("keep", false, "leave the laboratory up until ctrl-C")
	flag.Parse()
	os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) error {
		if err := lab.CheckTUN(); err != nil {
			return err
		}
		abs, err := filepath.Abs(*bin)
		if err != nil {
			return err
		}
		if err := show(ctx, l, deploy.Set{Bin: abs}); err != nil {
			return err
		}
		if *keep {
			return l.Keep(ctx, os.Stdout)
		}
		return nil
	}))
}

// show is the story.
func show(ctx context.Context, l *lab.Lab, set deploy.Set) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	town := l.Routed(nodes)
	say("a controller on the internet, and %d machines, each on a LAN of its own behind a router", nodes)

	typed("ctl", "cvlan-controller serve --data ./data")
	ctl, err := set.Controller(ctx, town.Controller)
	if err != nil {
		return err
	}
	for line := range strings.Lines(ctl.Proc.Log()) {
		if !strings.HasPrefix(line, "time=") { // what it says to a person, without its log
			fmt.Print("    ", line)
		}
	}
	typed("ctl", "cvlan admin login --key-file ./data/admin.key")
	typed("ctl", "cvlan admin network create office")
	if err := print(ctl.Admin(ctx, "", "network", "create", "office")); err != nil {
		return err
	}
	typed("ctl", "cvlan admin key create --network office --uses %d >join.key", nodes)
	key, err := ctl.Key(ctx, "office", "--uses", fmt.Sprint(nodes))
	if err != nil {
		return err
	}
	all, slowest, err := join(ctx, set, town, key)
	if err != nil {
		return err
	}
	say("every machine reaches every other")
	if err := pingEachOther(ctx, all); err != nil {
		return err
	}
	typed(town.Nodes[0].Name(), "cvlan status")
	if err := print(all[0].CLI(ctx, "status")); err != nil {
		return err
	}
	typed("ctl", "cvlan admin node list")
	if err := print(ctl.Admin(ctx, "", "node", "list")); err != nil {
		return err
	}
	say("%d machines, one command each; the slowest took %d ms from `cvlan up` to its first answered ping", nodes, slowest.Milliseconds())
	fmt.Printf("FIGURE join_to_ping_ms %.0f ms\n", float64(slowest.Microseconds())/1000)
	return nil
}

// join starts a daemon on each machine and joins it. It returns the longest time from typing "cvlan up" to the first answered ping.
func join(ctx context.Context, set deploy.Set, town lab.Routed, key string) (all []*deploy.Node, slowest time.Duration, err error) {
	for i, h := range town.Nodes {
		typed(h.Name(), "cvland &")
		n, err := set.Node(ctx, h)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, n)
		typed(h.Name(), "cvlan up --key-file join.key")
		start := time.Now()
		if err := print(n.Join(ctx, key)); err != nil {
			return nil, 0, err
		}
		if i == 0 {
			continue
		}
		if err := ping(ctx, n, town.Nodes[0].Name()); err != nil {
			return nil, 0, err
		}
		slowest = max(slowest, time.Since(start))
	}
	return all, slowest, nil
}

// pingEachOther pings by name from each to each, and once to an IPv6 address.
func pingEachOther(ctx context.Context, all []*deploy.Node) error {
	for i, from := range all {
		for j, to := range all {
			if i == j {
				continue
			}
			if err := ping(ctx, from, to.Host.Name()); err != nil {
				return err
			}
		}
	}
	first, last := all[0], all[len(all)-1]
	six, err := last.CLI(ctx, "ip", "-6")
	if err != nil {
		return err
	}
	return ping(ctx, first, strings.TrimSpace(six))
}

func ping(ctx context.Context, from *deploy.Node, to string) error {
	typed(from.Host.Name(), "cvlan ping -c 1 %s", to)
	return print(from.CLI(ctx, "ping", "-c", "1", to))
}

func say(format string, a ...any) { fmt.Printf("\n== "+format+"\n", a...) }

func typed(host, format string, a ...any) { fmt.Printf("%s$ %s\n", host, fmt.Sprintf(format, a...)) }

// print shows what a command wrote, also when it failed.
func print(out string, err error) error {
	for line := range strings.Lines(out) {
		fmt.Print("    ", line)
	}
	return err
}
