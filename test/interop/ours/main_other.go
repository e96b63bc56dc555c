//go:build !linux

// Command ours is the tunnel under test of the interoperability stories, which need Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "ours: the interoperability stories need Linux")
	os.Exit(1)
}
