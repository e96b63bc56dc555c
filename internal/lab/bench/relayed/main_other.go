//go:build !linux

// Command relayed compares relayed with direct traffic; it needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "relayed: needs Linux")
	os.Exit(1)
}
