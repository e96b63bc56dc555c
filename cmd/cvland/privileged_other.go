//go:build !linux

package main

import (
	"errors"
	"os"
)

// privileged says in time, and in words, what would otherwise fail in the middle. Windows has no user 0; there the TUN driver says it.
func privileged() error {
	if os.Geteuid() > 0 {
		return errors.New("this user may not make network interfaces: run it as root (sudo cvland)")
	}
	return nil
}
