// Package wg is WireGuard as a tunnel speaks it: package core/wg decides, package tunnel carries, and this one puts the first into the
// words of the second. What the protocol promises, and where it differs from other implementations on purpose, stands in core/wg.
package wg
