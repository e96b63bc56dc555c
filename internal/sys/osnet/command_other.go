//go:build darwin || windows

package osnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// patience bounds a system tool's run.
const patience = 10 * time.Second

// run calls a system tool and reports what it printed if it failed. Every argument was made here or went through netip: nothing of
// the network's reaches a command line as it came.
func run(tool string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	if err == nil {
		return nil
	}
	said := strings.Join(strings.Fields(string(bytes.ToValidUTF8(out, nil))), " ")
	return fmt.Errorf("%s %s: %w: %.200s", tool, strings.Join(args, " "), err, said)
}

// runAll calls a tool several times and joins what failed.
func runAll(tool string, calls ...[]string) error {
	var faults []error
	for _, args := range calls {
		faults = append(faults, run(tool, args...))
	}
	return errors.Join(faults...)
}
