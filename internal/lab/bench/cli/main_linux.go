// Command cli measures what the command line, the terminal interface and the icon in the panel cost: the time of a status with 1,000 peers,
// of completing a peer's name among them, and of help, the size of the program, and the processor time and memory that the two interfaces take while nobody touches them and
// 10,000 peers are there. The daemon is a
// stand-in on a socket of its own that answers what it was told; the program is the built one. With -attached it measures what a real daemon
// takes while both interfaces look at it. It prints FIGURE lines.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/deploy"
	"github.com/cvlan/cvlan/internal/lab/figure"
)

func main() {
	bin := flag.String("bin", "bin", "the folder with cvlan")
	runs := flag.Int("runs", 15, "how often each command is run")
	idle := flag.Duration("idle", 30*time.Second, "how long the interface is watched")
	whole := flag.Bool("attached", false, "measure a real daemon, in a laboratory, instead of the programs that look at it")
	flag.Parse()
	if *whole {
		abs, err := filepath.Abs(*bin)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench cli:", err)
			os.Exit(1)
		}
		os.Exit(lab.Main(func(ctx context.Context, l *lab.Lab) error { return attached(ctx, l, deploy.Set{Bin: abs}, *idle) }))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := errors.Join(run(ctx, filepath.Join(*bin, "cvlan"), *runs, *idle), trays(ctx, filepath.Join(*bin, "cvlan-tray"), *idle)); err != nil {
		fmt.Fprintln(os.Stderr, "bench cli:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program string, runs int, idle time.Duration) error {
	if err := size(program); err != nil {
		return err
	}
	if err := wall(ctx, "help_ms", runs, program, "--help"); err != nil {
		return err
	}
	small, err := startDaemon(1000)
	if err != nil {
		return err
	}
	defer small.stop()
	if err := wall(ctx, "status_1000_ms", runs, program, "status", "--socket", small.socket); err != nil {
		return err
	}
	if err := wall(ctx, "complete_1000_ms", runs, program, "__complete", "ping", "--socket", small.socket, "node-1"); err != nil {
		return err
	}
	for _, n := range []int{100, 10000} {
		if err := watch(ctx, program, n, idle); err != nil {
			return err
		}
	}
	return nil
}

// trays measures the icon in the panel of a session without a screen.
func trays(ctx context.Context, program string, idle time.Duration) error {
	for _, n := range []int{100, 10000} {
		if err := tray(ctx, program, n, idle); err != nil {
			return err
		}
	}
	return nil
}

// size tells how large the program is.
func size(program string) error {
	info, err := os.Stat(program)
	if err != nil {
		return fmt.Errorf("%w; build it first: make build", err)
	}
	figure.Print(os.Stdout, "cli_binary_mb", float64(info.Size())/1e6, "MB", "")
	return nil
}

// wall measures how long a command takes from its start to its end. The first run, which reads the program from disk, does not count.
func wall(ctx context.Context, name string, runs int, program string, args ...string) error {
	var all []float64
	for i := range runs + 1 {
		c := exec.CommandContext(ctx, program, args...)
		began := time.Now()
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %.200s", args, err, out)
		}
		if took := time.Since(began); i > 0 {
			all = append(all, float64(took)/1e6)
		}
	}
	figure.Spread(os.Stdout, name, "ms", all)
	return nil
}
