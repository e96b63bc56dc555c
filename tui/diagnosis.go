package tui

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
)

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

// mend asks whether the cures may be run.
func (s *healthScreen) mend() action {
	cures := s.cures()
	switch {
	case len(cures) == 0:
		return say{text: "There is nothing here that could be mended from here"}
	case !s.found.Root:
		return say{"Only root may do that: sudo cvlan tui, or sudo cvlan doctor --fix", true}
	}
	texts := make([]string, len(cures))
	for i, c := range cures {
		texts[i] = cleanText(strings.Join(c, " "))
	}
	return ask{question: "Run this as root?", lines: texts, then: mend{cures}}
}

// cures are the commands that would mend something, each once.
func (s *healthScreen) cures() (all [][]string) {
	seen := map[string]bool{}
	for _, f := range s.found.Findings {
		if text := strings.Join(f.Cure, " "); text != "" && !seen[text] {
			seen[text] = true
			all = append(all, f.Cure)
		}
	}
	return all
}

// examine has this machine examined.
type examine struct{ whole bool }

func (e examine) run(ctx context.Context, c *Config) outcome {
	return examined{c.Examine(ctx, e.whole), c.Now()}
}

type examined struct {
	found Diagnosis
	at    time.Time
}

func (e examined) take(m *Model) action {
	s := m.health
	s.asked, s.found, s.examined = false, e.found, e.at
	for i := range s.found.Findings {
		f := &s.found.Findings[i]
		f.live = slices.ContainsFunc(s.networks, func(n *network) bool {
			return n.Name == f.Network && slices.ContainsFunc(troubles(n), func(p local.Problem) bool { return p.Code == f.Code })
		})
	}
	if e.found.Check != nil {
		s.check, s.checked = e.found.Check, e.at
	}
	return nil
}

// mend runs cures, one after the other, and examines again.
type mend struct{ cures [][]string }

func (x mend) run(ctx context.Context, c *Config) outcome {
	for _, cure := range x.cures {
		if err := c.Cure(ctx, cure); err != nil {
			return mended{c.Examine(ctx, false), c.Now(), cure, err}
		}
	}
	return mended{c.Examine(ctx, false), c.Now(), nil, nil}
}

type mended struct {
	found Diagnosis
	at    time.Time
	cure  []string
	err   error
}

func (x mended) take(m *Model) action {
	examined{x.found, x.at}.take(m)
	if x.err != nil {
		return oops(cmp.Or(strings.Join(x.cure, " "), "mend"), x.err)
	}
	return say{text: "Done"}
}
