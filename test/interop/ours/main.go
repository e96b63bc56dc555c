//go:build linux

// Command ours is our tunnel in the clothes of wireguard-go, so that the interoperability stories configure it with the wg tool like any
// other implementation: `ours wg0` makes the TUN device wg0 and speaks the cross-platform configuration protocol
// (www.wireguard.com/xplatform) on /var/run/wireguard/wg0.sock, as far as the stories need it. Besides get=1 and set=1 it answers
// drops=1 with what was dropped, by reason. It runs until it is killed.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ours INTERFACE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	d, err := openDevice(name)
	if err != nil {
		return err
	}
	return serve(name, d)
}
