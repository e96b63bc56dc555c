//go:build !linux

package linger

import "runtime"

func yield() { runtime.Gosched() }
