//go:build !linux

package sched

// Batch does nothing: only Linux has such a class.
func Batch() error { return nil }
