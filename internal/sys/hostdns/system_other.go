//go:build !linux

package hostdns

import (
	"log/slog"
	"runtime"
)

// Works reports whether programs of this system can be had to ask us.
const Works = false

// Options of New.
type Options struct {
	State string
	Log   *slog.Logger
}

// System is an operating system whose names are left alone, so far.
type System struct{}

var _ Host = (*System)(nil)

// New returns it.
func New(Options) *System { return &System{} }

// Look implements Host.
func (*System) Look(w Want) (State, error) { return (*System)(nil).Set(w) }

// Set implements Host.
func (*System) Set(w Want) (State, error) {
	if len(w.Links) == 0 {
		return State{InPlace: true}, nil
	}
	return State{}, &Fault{"names-not-here", "names of networks are set up on Linux only, so far; this is " + runtime.GOOS, "use addresses, or have another DNS server pass on cvlan.internal to " + w.Server.String()}
}

// Cleanup implements Host.
func (*System) Cleanup() error { return nil }
