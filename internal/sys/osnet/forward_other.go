//go:build !linux

package osnet

import (
	"io/fs"
	"net/netip"
)

// Forwards reports whether this system can pass packets on for others.
const Forwards = false

func here() (identity, error) { return identity{}, nil }

func knobs(string, []netip.Prefix) ([]knob, error) { return nil, ErrNoForwarding }

func readKnob(string) (string, error) { return "", fs.ErrNotExist }

func writeKnob(string, string) error { return ErrNoForwarding }

func masquerade(_ string, s *serving) error {
	if s == nil {
		return nil
	}
	return ErrNoForwarding
}
