//go:build !linux

package osnet

import "time"

func openBell() bell { return newTicking(time.Now) }
