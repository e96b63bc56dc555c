package doctor

import "strings"

// Severity says how bad a finding is.
type Severity string

// The severities. Notes are no reason to call a machine ill.
const (
	Error   Severity = "error"   // traffic does not flow, or nothing can be said of it
	Warning Severity = "warning" // traffic flows, but slower, or not for much longer
	Note    Severity = "note"    // worth knowing
)

// Finding is one thing that is wrong.
type Finding struct {
	Code     string   `json:"code"` // stable, kebab-case
	Severity Severity `json:"severity"`
	Network  string   `json:"network,omitempty"` // name, where it is about one
	What     string   `json:"what"`
	Why      string   `json:"why,omitempty"`
	Hint     string   `json:"hint,omitempty"` // what to type
	Cure     []string `json:"cure,omitempty"` // the safe command that --fix runs; absent: there is none
}

// CureText is the cure as a person types it.
func (f *Finding) CureText() string { return strings.Join(f.Cure, " ") }

// Skipped is a check that could not be made.
type Skipped struct {
	Check string `json:"check"`
	Why   string `json:"why"`
}

// Report is what Judge says of a machine.
type Report struct {
	Findings []Finding `json:"findings"` // the worst first
	Skipped  []Skipped `json:"skipped,omitempty"`
}

// Healthy reports whether nothing is worse than a note.
func (r *Report) Healthy() bool {
	for _, f := range r.Findings {
		if f.Severity != Note {
			return false
		}
	}
	return true
}
