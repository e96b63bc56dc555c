//go:build !windows

package wg

import (
	"errors"

	"golang.org/x/sys/unix"
)

// sourceGone reports whether a send failed because the address or interface that it was to leave from does not exist any more.
func sourceGone(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENETUNREACH)
}
