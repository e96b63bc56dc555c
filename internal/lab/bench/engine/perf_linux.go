package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cvlan/cvlan/internal/lab"
	"github.com/cvlan/cvlan/internal/lab/duel"
)

// profile lets perf watch both daemons of each pair during one more run of one TCP stream, which counts for no figure. Programs must
// have been built with their symbols for the profiles to name functions.
func profile(ctx context.Context, f *arena) error {
	if f.perf == "" {
		return nil
	}
	perf, err := exec.LookPath("perf")
	if err != nil {
		fmt.Println("no profiles: perf is not installed")
		return nil
	}
	dir, err := filepath.Abs(f.perf)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a folder for profiles: %w", err)
	}
	for name, pair := range map[string]*duel.Pair{"cvland": f.ours, "wireguard-go": f.stock} {
		if err := f.record(ctx, perf, filepath.Join(dir, name), pair); err != nil {
			return err
		}
	}
	fmt.Println("profiles of the daemons under one TCP stream are in", dir)
	return nil
}

// record writes the profiles of one pair to FILE-a.perf and FILE-b.perf.
func (f *arena) record(ctx context.Context, perf, file string, pair *duel.Pair) error {
	var recorders []*lab.Proc
	for i, h := range []*lab.Host{f.a, f.b} {
		recorders = append(recorders, h.Start(perf, "record", "-F", "499", "-g", "-o", file+"-"+h.Name()+".perf", "-p", fmt.Sprint(pair.PIDs[i]),
			"--", "sleep", fmt.Sprintf("%.1f", f.each.Seconds())))
	}
	if _, err := pair.TCP(ctx, duel.TCP{Streams: 1, For: f.each + time.Second}); err != nil {
		return err
	}
	for _, r := range recorders {
		limited, cancel := context.WithTimeout(ctx, 30*time.Second)
		err := r.Wait(limited)
		cancel()
		if err != nil {
			return fmt.Errorf("profile: %w; perf says:\n%s", err, r.Log())
		}
	}
	return nil
}
