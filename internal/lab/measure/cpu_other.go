//go:build !linux

package measure

import (
	"errors"
	"time"
)

// CPU cannot tell here.
func CPU(int) (time.Duration, error) {
	return 0, errors.New("read the processor time of a process: only Linux tells")
}

// Thread cannot tell here.
func Thread() (time.Duration, error) {
	return 0, errors.New("read the thread's processor time: only Linux tells")
}
