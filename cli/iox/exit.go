package iox

import "errors"

// Exit is what the program tells its caller about how it went. The numbers are part of the interface and never change.
type Exit int

// The exit codes.
const (
	OK          Exit = 0
	Internal    Exit = 1  // a defect, or a system that fails
	Usage       Exit = 2  // the command line makes no sense
	NoDaemon    Exit = 3  // cvland does not answer
	NeedsLogin  Exit = 4  // no login or membership, or a key that is expired, revoked or used up
	Permission  Exit = 5  // not allowed for this user or key
	Timeout     Exit = 6  // it took longer than --timeout
	Unreachable Exit = 7  // a peer or the controller does not answer
	Denied      Exit = 8  // a policy forbids it, or a policy test failed
	NotFound    Exit = 9  // no such thing
	Invalid     Exit = 10 // conflict, or input that was not accepted
	Skew        Exit = 11 // the other side is of a version that does not fit
	Degraded    Exit = 12 // not as it should be: not ready or not healthy (status --check, doctor), or not what is in force (policy diff)
	Interrupted Exit = 130
	Terminated  Exit = 143
)

// Exits lists the codes with their meaning, for the reference.
func Exits() []struct {
	Code    Exit
	Meaning string
} {
	return []struct {
		Code    Exit
		Meaning string
	}{
		{OK, "it went well"},
		{Internal, "a defect, or a system that fails"},
		{Usage, "the command line makes no sense"},
		{NoDaemon, "the daemon cvland does not answer"},
		{NeedsLogin, "no login or membership, or a key that is expired, revoked or used up"},
		{Permission, "not allowed for this user or key"},
		{Timeout, "it took longer than --timeout"},
		{Unreachable, "a peer or the controller does not answer"},
		{Denied, "a policy forbids it, or a policy test failed"},
		{NotFound, "no such network, node, key or peer"},
		{Invalid, "conflict, or input that was not accepted"},
		{Skew, "the other side is of a version that does not fit"},
		{Degraded, "not as it should be: not ready or not healthy (status --check, doctor), or not what is in force (policy diff)"},
		{Interrupted, "ended by ctrl-C"},
		{Terminated, "ended by SIGTERM"},
	}
}

// Error is a failure as a person reads it: what failed and why, and what to type next.
type Error struct {
	Exit Exit
	What string
	Why  string // may be empty
	Hint string // may be empty, may have several lines
	Err  error  // may be nil
}

// Error returns "what failed: why".
func (e *Error) Error() string {
	if e.Why == "" {
		return e.What
	}
	return e.What + ": " + e.Why
}

// Unwrap returns what caused the failure.
func (e *Error) Unwrap() error { return e.Err }

// ExitOf returns the exit code of an error; Internal if it says nothing of it, OK for nil.
func ExitOf(err error) Exit {
	var e *Error
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Exit
	default:
		return Internal
	}
}
