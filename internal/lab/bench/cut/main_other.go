//go:build !linux

// Command cut measures in a laboratory of network namespaces, which needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "cut: the laboratory is made of Linux namespaces: run it on Linux")
	os.Exit(1)
}
