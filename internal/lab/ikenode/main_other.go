//go:build !linux

// Command ikenode is for laboratories, which need Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "ikenode: the laboratory is made of Linux namespaces: run it on Linux")
	os.Exit(1)
}
