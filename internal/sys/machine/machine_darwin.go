package machine

import "golang.org/x/sys/unix"

// This returns what runs here.
func This() System {
	v, _ := unix.Sysctl("kern.osproductversion")
	return System{Version: v}
}
