//go:build !linux

// Command relay measures a relay; it needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "relay: needs Linux")
	os.Exit(1)
}
