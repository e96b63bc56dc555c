package local

import "net/http"

// Code says what kind of failure an Error is. Scripts branch on it, and the command line's exit code follows from it.
type Code string

// The codes.
const (
	CodeInvalid     Code = "invalid-input"     // the request makes no sense as it is
	CodePermission  Code = "permission-denied" // the caller's level is too low
	CodeNotFound    Code = "not-found"         // no such network, peer or operation
	CodeAmbiguous   Code = "ambiguous"         // several networks or peers have that name
	CodeConflict    Code = "conflict"          // the state of things forbids it: already joined, ranges overlap
	CodeNeedsJoin   Code = "needs-join"        // no membership, or one that was removed or expired
	CodeRefused     Code = "join-refused"      // the controller does not accept the join key
	CodeUnreachable Code = "unreachable"       // the peer or the controller does not answer, or no path is known
	CodeTimeout     Code = "timeout"           // it took longer than the caller wanted
	CodeDenied      Code = "denied-by-policy"  // the network's rules forbid it
	CodeBusy        Code = "too-many"          // more connections or watches than one user may have
	CodeSkew        Code = "version-skew"      // the other side speaks no version that this one speaks
	CodeInternal    Code = "internal"          // a defect, or a disk or system that fails
)

// Status returns the HTTP status that goes with the code.
func (c Code) Status() int {
	switch c {
	case CodeInvalid:
		return http.StatusBadRequest
	case CodePermission, CodeDenied, CodeRefused:
		return http.StatusForbidden
	case CodeNotFound:
		return http.StatusNotFound
	case CodeAmbiguous, CodeConflict, CodeNeedsJoin:
		return http.StatusConflict
	case CodeUnreachable:
		return http.StatusBadGateway
	case CodeTimeout:
		return http.StatusGatewayTimeout
	case CodeBusy:
		return http.StatusTooManyRequests
	case CodeSkew:
		return http.StatusUpgradeRequired
	default:
		return http.StatusInternalServerError
	}
}

// Error is an answer that is not the one asked for: a problem in the sense of RFC 9457, with a code and a hint.
type Error struct {
	Schema int    `json:"schema"`
	Status int    `json:"status"`           // HTTP
	Code   Code   `json:"code"`             // for scripts
	Title  string `json:"title"`            // what failed
	Detail string `json:"detail,omitempty"` // why
	Hint   string `json:"hint,omitempty"`   // what to do or type next
}

// Problem makes an Error for the wire: what failed, why, and what to do.
func (c Code) Problem(title, detail, hint string) *Error {
	return &Error{Schema: Schema, Status: c.Status(), Code: c, Title: title, Detail: detail, Hint: hint}
}

// Error returns "what failed: why", without the hint.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Title
	}
	return e.Title + ": " + e.Detail
}

// ProblemType is the media type of an Error.
const ProblemType = "application/problem+json"
