// Package version says which build this is and when it was made.
package version

import (
	"crypto/fips140"
	"runtime/debug"
	"time"
)

// Set by the linker (see the Makefile); a plain `go build` leaves them and the module's own stamp is used.
var (
	release = "dev"
	commit  = ""
	built   = "" // RFC 3339
)

// earliest is the floor of BuildTime: no build of this program is older.
var earliest = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// Info describes a build.
type Info struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit,omitempty"`
	Built   time.Time `json:"built"`
	Go      string    `json:"go"`
	FIPS    string    `json:"fips,omitempty"` // version of the Go Cryptographic Module, while it is in FIPS mode
}

// Module says by what the program does its cryptography, for people: "" or the module in whose FIPS mode it runs.
func (i Info) Module() string {
	if i.FIPS == "" {
		return ""
	}
	return "Go Cryptographic Module " + i.FIPS + " in FIPS mode"
}

// Title is the version for people, with the module.
func (i Info) Title() string {
	if m := i.Module(); m != "" {
		return i.Version + " (" + m + ")"
	}
	return i.Version
}

// Get returns what is known of this build.
func Get() Info {
	i := Info{Version: release, Commit: commit, Built: BuildTime()}
	if b, ok := debug.ReadBuildInfo(); ok {
		i.Go = b.GoVersion
	}
	if fips140.Enabled() {
		i.FIPS = fips140.Version()
	}
	return i
}

// BuildTime returns when this program was built, or a time that is surely not later. Certificates are never checked against a
// clock that shows less than this: a machine that wakes in 1970 still connects.
func BuildTime() time.Time {
	if t, err := time.Parse(time.RFC3339, built); err == nil && t.After(earliest) {
		return t
	}
	return earliest
}
