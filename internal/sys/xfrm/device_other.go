//go:build !linux

package xfrm

import "net/netip"

// Device does not exist here.
type Device struct{}

// Open fails.
func Open(Config) (*Device, error) { return nil, ErrUnsupported }

// Sweep does nothing.
func Sweep(string) error { return nil }

// Add fails, and all others do nothing.
func (*Device) Add(SA) error { return ErrUnsupported }

// Use fails.
func (*Device) Use(SA) (Use, error) { return Use{}, ErrUnsupported }

// Remove fails.
func (*Device) Remove(SA) (Use, error) { return Use{}, ErrUnsupported }

// Admit fails.
func (*Device) Admit(Way) error { return ErrUnsupported }

// Refuse does nothing.
func (*Device) Refuse(Way) error { return nil }

// Lead fails.
func (*Device) Lead(Way, SA) error { return ErrUnsupported }

// Unlead does nothing.
func (*Device) Unlead(Way) error { return nil }

// Source fails.
func (*Device) Source(netip.Addr) (netip.Addr, error) { return netip.Addr{}, ErrUnsupported }

// SetMTU fails.
func (*Device) SetMTU(int) error { return ErrUnsupported }

// Close does nothing.
func (*Device) Close() error { return nil }
