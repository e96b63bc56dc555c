//go:build !linux

// Command natgrid lets two nodes meet behind every pair of kinds of routers, in a laboratory of network namespaces, which needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "natgrid: the laboratory is made of Linux namespaces: run it on Linux")
	os.Exit(1)
}
