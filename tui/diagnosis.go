package tui

import "github.com/cvlan/cvlan/api/local"

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Finding is one thing that is wrong with this machine, as `cvlan doctor` tells it.
type Finding struct {
	Code     string
	Severity Severity
	Network  string // name, where it is about one
	What     string
	Why      string
	Hint     string // what to type, in lines
	Cure     []string
	live     bool // the daemon told it too, as it does while it is so
}

// Diagnosis is what an examination has found.
type Diagnosis struct {
	Findings []Finding // the worst first
	Skipped  []string  // what could not be looked at, and why
	Check    *local.NetCheck
	Root     bool // cures may be run
}
