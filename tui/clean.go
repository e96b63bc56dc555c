package tui

import (
	"errors"
	"strings"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/clean"
)

// Bounds of what is shown of foreign strings, in runes.
const (
	maxName = 128
	maxText = 500
)

// cleanName makes a foreign name harmless. Most names are ASCII and pass as they are.
func cleanName(s string) string {
	if len(s) <= maxName && plain(s) {
		return s
	}
	return clean.Line(s, maxName)
}

// called is a cleaned name, or in its place an identifier where there is none to be seen.
func called(name, id string) string {
	if name = cleanName(name); strings.TrimSpace(name) != "" {
		return name
	}
	return cleanName(id)
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// spoken is a state's word as people write it: in use, router away.
func spoken(state string) string { return strings.ReplaceAll(cleanName(state), "-", " ") }

// cleanText makes a foreign sentence harmless.
func cleanText(s string) string { return clean.Line(s, maxText) }

// cleanNames makes one text of several names.
func cleanNames(list []string) string {
	out := make([]string, min(len(list), 32))
	for i := range out {
		out[i] = cleanName(list[i])
	}
	return strings.Join(out, " ")
}

// whose is to whom a machine belongs: to its tags, else to a user.
func whose(user string, tags []string) string {
	if len(tags) > 0 {
		return cleanNames(tags)
	}
	return cleanName(user)
}

// hint returns what an error says to do.
func hint(err error) string {
	var l *local.Error
	var p *admin.Problem
	switch {
	case errors.As(err, &l):
		return l.Hint
	case errors.As(err, &p):
		return p.Hint
	}
	return ""
}

// reason returns why something failed, without what failed.
func reason(err error) string {
	var l *local.Error
	var p *admin.Problem
	switch {
	case errors.As(err, &l) && l.Detail != "":
		return l.Detail
	case errors.As(err, &p) && p.Detail != "":
		return p.Detail
	}
	return err.Error()
}
