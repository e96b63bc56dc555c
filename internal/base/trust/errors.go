package trust

import (
	"errors"
	"fmt"
	"time"
)

// Errors that callers branch on; they arrive wrapped in a sentence.
var (
	// ErrPin: whoever answered is not under the root that was pinned.
	ErrPin = errors.New("not the controller that the key was made for")
	// ErrRole: the chain is good, but not for this role.
	ErrRole = errors.New("wrong role")
	// ErrExpired: see ExpiredError.
	ErrExpired = errors.New("certificate expired")
)

// ExpiredError says which certificate has expired, and gives the person both dates, because it is as often the clock that is
// wrong as the certificate.
type ExpiredError struct {
	Whose    string
	NotAfter time.Time
	When     Instant
}

const day = "2006-01-02 15:04 UTC"

// Error implements error.
func (e *ExpiredError) Error() string {
	ended, local := e.NotAfter.UTC().Format(day), e.When.Local.UTC().Format(day)
	if e.When.At.After(e.When.Local) {
		return fmt.Sprintf("the certificate of the %s expired on %s, and it is at least %s (this machine's clock says %s): renew the certificate",
			e.Whose, ended, e.When.At.UTC().Format(day), local)
	}
	return fmt.Sprintf("the certificate of the %s expired on %s, but this machine's clock says %s: if the clock is wrong, set it (`timedatectl` shows it); if it is right, renew the certificate",
		e.Whose, ended, local)
}

// Is makes errors.Is(err, ErrExpired) true.
func (e *ExpiredError) Is(target error) bool { return target == ErrExpired }
