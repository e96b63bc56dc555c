//go:build !linux

// Package series sends numbered datagrams through a tunnel of a laboratory. Laboratories need Linux.
package series
