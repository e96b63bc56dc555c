package admin

import "net/http"

// Code says what kind of failure a Problem is. Scripts branch on it, and the command line's exit code follows from it.
type Code string

// The codes.
const (
	CodeInvalid      Code = "invalid-input"
	CodeUnknownKey   Code = "key-not-accepted" // no API key, or one that is unknown, expired or revoked
	CodePermission   Code = "permission-denied"
	CodeNotFound     Code = "not-found"
	CodeExists       Code = "already-exists"
	CodeConflict     Code = "conflict"          // the state of things forbids it
	CodeAmbiguous    Code = "ambiguous"         // several things have that name
	CodeChanged      Code = "changed-meanwhile" // If-Match names a version that is not the current one
	CodeLimit        Code = "limit-reached"
	CodeTooMany      Code = "too-many-requests" // wait as long as Retry-After says
	CodeTooLarge     Code = "too-large"
	CodeReused       Code = "idempotency-key-reused" // with another request than the first
	CodePolicy       Code = "policy-invalid"         // the document has errors; the review says which
	CodePolicyTest   Code = "policy-test-failed"     // the document does not pass its own tests; the review says which
	CodeReadOnly     Code = "read-only"              // the database cannot be written now; reading goes on
	CodeInternal     Code = "internal"
	CodeUnknownRoute Code = "unknown-operation" // this controller has no such operation; it may be older or newer
)

// Status returns the HTTP status that goes with the code.
func (c Code) Status() int {
	switch c {
	case CodeInvalid, CodeReused, CodePolicy, CodePolicyTest:
		return http.StatusUnprocessableEntity
	case CodeUnknownKey:
		return http.StatusUnauthorized
	case CodePermission:
		return http.StatusForbidden
	case CodeNotFound, CodeUnknownRoute:
		return http.StatusNotFound
	case CodeExists, CodeConflict, CodeAmbiguous, CodeLimit:
		return http.StatusConflict
	case CodeChanged:
		return http.StatusPreconditionFailed
	case CodeTooMany:
		return http.StatusTooManyRequests
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeReadOnly:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// Problem is an answer that is not the one asked for (RFC 9457).
type Problem struct {
	Status int     `json:"status" doc:"HTTP status" example:"404"`
	Code   Code    `json:"code" doc:"What kind of failure, for scripts" example:"not-found"`
	Title  string  `json:"title" doc:"What failed" example:"show node db-7"`
	Detail string  `json:"detail,omitempty" doc:"Why" example:"no node has that name"`
	Hint   string  `json:"hint,omitempty" doc:"What to do next" example:"list the nodes with: cvlan admin node list"`
	Fields []Field `json:"fields,omitempty" nullable:"false" doc:"Which parts of the request were not accepted"`
	// Review is there when a policy was refused.
	Review *PolicyReview `json:"review,omitempty" doc:"What is wrong with the policy"`
}

// Field is a part of a request that was not accepted.
type Field struct {
	Where string `json:"where" doc:"Path of the field" example:"body.name"`
	Why   string `json:"why" example:"expected length <= 63"`
}

// Problem makes a Problem: what failed, why, and what to do.
func (c Code) Problem(title, detail, hint string) *Problem {
	return &Problem{Status: c.Status(), Code: c, Title: title, Detail: detail, Hint: hint}
}

// Error returns "what failed: why", without the hint.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// GetStatus returns the HTTP status; with ContentType it makes the server send a Problem as it is.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType names what a Problem is sent as.
func (p *Problem) ContentType(string) string { return ProblemType }

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"
