package machine

import (
	"os"

	"golang.org/x/sys/unix"
)

// releases are where os-release(5) is looked for, in that order.
var releases = []string{"/etc/os-release", "/usr/lib/os-release"}

// This returns what runs here, read anew: a distribution is upgraded under programs that run.
func This() System {
	var s System
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		s.Version = unix.ByteSliceToString(u.Release[:])
	}
	for _, name := range releases {
		if text, err := os.ReadFile(name); err == nil {
			s.Distro, s.DistroVersion = distro(string(text))
			break
		}
	}
	return s
}
