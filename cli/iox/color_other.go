//go:build !windows

package iox

import "os"

func colors(*os.File) bool { return true }
