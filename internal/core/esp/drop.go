package esp

// Drop says why a datagram was refused. Nothing that a stranger sends is an error of the program, so it is a number to count.
type Drop uint8

// Why a datagram was refused. Taken, the zero Drop, is none of them.
const (
	Taken         Drop = iota
	DropMalformed      // too short, or what it holds is no packet in tunnel mode
	DropReplayed       // seen before, or too old to tell
	DropForged         // the cryptography says no
	DropExpired        // the SA is past its lifetime
	DropSelector       // authentic, but of traffic that was not agreed on
	DropLent           // others open what comes to the SA

	drops // how many there are
)

// String returns a short name that is fit for a counter's label.
func (d Drop) String() string {
	names := [drops]string{"taken", "malformed", "replayed", "forged", "expired", "selector", "lent"}
	if d >= drops {
		return "invalid"
	}
	return names[d]
}
