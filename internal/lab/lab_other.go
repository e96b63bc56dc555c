//go:build !linux

package lab

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// Lab is one laboratory. It exists on Linux only.
type Lab struct{}

// Main says that a laboratory needs Linux and returns ExitUnavailable.
func Main(func(context.Context, *Lab) error) int {
	fmt.Fprintf(os.Stderr, "lab: %v: it is made of network namespaces, which needs Linux\n", ErrUnavailable)
	return ExitUnavailable
}

// TestMain runs the tests as they are; those that need a laboratory skip.
func TestMain(m *testing.M) int { return m.Run() }

// New skips the test.
func New(t testing.TB) *Lab {
	t.Skipf("lab: %v: it is made of network namespaces, which needs Linux", ErrUnavailable)
	return nil
}
