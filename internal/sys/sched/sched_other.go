//go:build !linux

package sched

import "time"

// Batch does nothing: only Linux has such a class.
func Batch() error { return nil }

// Slack does nothing: other systems have no such number, or no business of ours.
func Slack(time.Duration) error { return nil }

// Nap returns at once: other systems cannot sleep so shortly.
func Nap(time.Duration) {}

// Late is not known.
func Late() time.Duration { return Unbounded }
