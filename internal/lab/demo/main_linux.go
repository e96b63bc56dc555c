// Command demo shows the product at work: a controller that is a relay too, and three nodes behind three kinds of NAT, in namespaces of their
// own. It types what a person would type, shows what a person would see (relayed first, then direct), and leaves nothing behind.
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

// places are where the machines are, and how the router there translates.
var places = []struct{ name, router, words string }{
	{"home", "port+rand", "a home router: one outside port a socket, answers from where it sent only"},
	{"cafe", "addr", "a cafe's: one outside port a socket, answers from addresses that it sent to"},
	{"office", "sym", "an office firewall: another random port for each destination (\"symmetric\")"},
}

// delay is what each way to the internet takes.
const delay = 10 * time.Millisecond

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
	hub := l.Public("ctl")
	var hosts []*lab.Host
	say("a controller on the internet, and %d machines, each behind a NAT of another kind", len(places))
	for _, p := range places {
		s := l.Site(p.name, p.router)
		s.Degrade(lab.Quality{Delay: delay})
		hosts = append(hosts, s.Host(p.name))
		fmt.Printf("    %-7s %s\n", p.name, p.words)
	}

	typed("ctl", "cvlan-controller serve --with-relay --data ./data")
	ctl, err := set.Controller(ctx, hub, "--with-relay")
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
	typed("ctl", "cvlan admin key create --network office --uses %d >join.key", len(places))
	key, err := ctl.Key(ctx, "office", "--uses", fmt.Sprint(len(places)))
	if err != nil {
		return err
	}
	all, slowest, err := join(ctx, set, hosts, key)
	if err != nil {
		return err
	}
	say("every machine reaches every other at once through the relay, and directly as soon as the NATs let them")
	if err := untilDirect(ctx, all[1], "home"); err != nil {
		return err
	}
	if err := untilDirect(ctx, all[2], "cafe"); err != nil {
		return err
	}
	typed("home", "cvlan ping -c 8 office")
	if err := print(all[0].CLI(ctx, "ping", "-c", "8", "office")); err != nil {
		return err
	}
	typed("home", "cvlan peers path office")
	if err := print(all[0].CLI(ctx, "peers", "path", "office")); err != nil {
		return err
	}
	six, err := all[2].CLI(ctx, "ip", "-6")
	if err != nil {
		return err
	}
	if err := ping(ctx, all[0], strings.TrimSpace(six)); err != nil {
		return err
	}
	typed("home", "cvlan status")
	if err := print(all[0].CLI(ctx, "status")); err != nil {
		return err
	}
	typed("ctl", "cvlan admin node list")
	if err := print(ctl.Admin(ctx, "", "node", "list")); err != nil {
		return err
	}
	say("%d machines, one command each; the slowest took %d ms from `cvlan up` to its first answered ping", len(all), slowest.Milliseconds())
	fmt.Printf("FIGURE join_to_ping_ms %.0f ms\n", float64(slowest.Microseconds())/1000)
	return nil
}

// join starts a daemon on each machine and joins it. It returns the longest time from typing "cvlan up" to the first answered ping.
func join(ctx context.Context, set deploy.Set, hosts []*lab.Host, key string) (all []*deploy.Node, slowest time.Duration, err error) {
	for i, h := range hosts {
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
		if err := ping(ctx, n, hosts[0].Name()); err != nil {
			return nil, 0, err
		}
		slowest = max(slowest, time.Since(start))
	}
	return all, slowest, nil
}

// untilDirect pings by name until an echo has gone directly.
func untilDirect(ctx context.Context, from *deploy.Node, to string) error {
	typed(from.Host.Name(), "cvlan ping --until-direct -i 200ms %s", to)
	return print(from.CLI(ctx, "ping", "--until-direct", "-i", "200ms", to))
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
