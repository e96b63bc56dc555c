//go:build !linux

// Command cli measures what the command line and the terminal interface cost.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench cli: it reads a process's time from /proc, which Linux alone has")
	os.Exit(1)
}
