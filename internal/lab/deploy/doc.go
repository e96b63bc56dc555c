//go:build !linux

// Package deploy puts the project's programs on the hosts of a laboratory. Laboratories need Linux.
package deploy
