package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// privileged says in time, and in words, what would otherwise fail in the middle: making a TUN device needs CAP_NET_ADMIN.
func privileged() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil || os.Geteuid() == 0 {
		return nil // what is missing then shows where it is needed
	}
	if data[0].Effective&(1<<unix.CAP_NET_ADMIN) == 0 {
		return errors.New("this user may not make network interfaces: run it as root (sudo cvland), or give it CAP_NET_ADMIN")
	}
	return nil
}
