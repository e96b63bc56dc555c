package lab

import "errors"

// ErrUnavailable says that this machine does not allow a laboratory. The error that wraps it tells what is missing.
var ErrUnavailable = errors.New("no laboratory on this machine")

// ExitUnavailable is the exit code of Main where the machine does not allow a laboratory: the one that test harnesses
// read as "skipped".
const ExitUnavailable = 77
