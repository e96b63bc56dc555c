//go:build !linux

package osnet

import "net/netip"

// Exits reports whether this system can send its traffic through an exit.
const Exits = false

func openExit(string, exiting) error { return ErrNoExit }

func closeExit() error { return nil }

func exitKnobs() []knob { return nil }

func resolvers() []netip.Addr { return nil }

// Uplinks implements Host.
func (s *System) Uplinks() (four, six bool, err error) { return false, false, nil }
