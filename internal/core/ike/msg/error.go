package msg

import "fmt"

// Error says why input is no message that we take.
type Error struct {
	Offset  int         // of the part that is wrong, from the start of what was given to Parse or Chain
	Where   string      // that part, from the outside in: "SA: proposal 2: transform 3"
	Why     string      // what is wrong with it
	Notify  NotifyType  // what tells the peer: InvalidSyntax, InvalidMajorVersion or UnsupportedCriticalPayload
	Payload PayloadType // with UnsupportedCriticalPayload its data: the type that we do not know
}

func (e *Error) Error() string {
	return fmt.Sprintf("ike message: %s at byte %d: %s", e.Where, e.Offset, e.Why)
}

// within puts the name of what encloses the faulty part before it.
func (e *Error) within(format string, args ...any) *Error {
	if e == nil {
		return nil
	}
	e.Where = fmt.Sprintf(format, args...) + ": " + e.Where
	return e
}

// An EncodeError says why Append wrote nothing: the caller's mistake, or a configuration beyond our limits.
type EncodeError struct {
	Where string
	Why   string
}

func (e *EncodeError) Error() string { return fmt.Sprintf("write ike message: %s: %s", e.Where, e.Why) }
