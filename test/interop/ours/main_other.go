//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "ours: the interoperability stories need Linux")
	os.Exit(1)
}
