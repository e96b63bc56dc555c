package portmap

import "github.com/cvlan/cvlan/internal/base/mono"

// epoch remembers what a router's clock of mappings said.
type epoch struct {
	at      mono.Time // Never: nothing yet
	seconds uint32
}

// lapsed takes a new reading and reports whether the router has forgotten everything since the last: its clock is not as far as ours,
// beyond a sixteenth and two seconds (RFC 6887, section 8.5, which includes RFC 6886, section 3.6, but for its eighth).
func (e *epoch) lapsed(now mono.Time, seconds uint32) bool {
	was := *e
	*e = epoch{now, seconds}
	if was.at.IsNever() {
		return false
	}
	theirs, ours := int64(seconds)-int64(was.seconds), int64(now.Sub(was.at).Seconds())
	if theirs < -1 {
		return true
	}
	return ours+2 < theirs-theirs/16 || theirs+2 < ours-ours/16
}
