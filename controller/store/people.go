package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cvlan/cvlan/internal/base/clean"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// User is a person of a tenant's directory.
type User struct {
	Login   string // alice@example.com, in lower case; unique in the tenant
	Role    Role
	Groups  []string // of the directory, "group:dev", sorted
	Created time.Time
	Version uint64
}

// Role is what a user may do in the tenant's networks, with the values of compile.Role. An owner is an admin too.
type Role uint8

// The roles.
const (
	Member Role = iota
	Admin
	Owner
)

var roles = [...]string{"member", "admin", "owner"}

// String is the role's name.
func (r Role) String() string {
	if int(r) < len(roles) {
		return roles[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole is the reverse of String.
func ParseRole(s string) (Role, error) {
	if i := slices.Index(roles[:], s); i >= 0 {
		return Role(i), nil
	}
	return 0, fmt.Errorf("role %q: %w: the roles are %s", clean.Line(s, 40), ErrInvalid, strings.Join(roles[:], ", "))
}

// Group is a group of the directory. Groups inside a policy document are apart from these: a rule that names a group means the
// members of both.
type Group struct {
	Name    string // "group:dev"
	Members int
	Created time.Time
}

// The prefixes that tell the nouns of a policy document apart.
const (
	GroupPrefix = "group:"
	TagPrefix   = "tag:"
)

// maxLogin bounds a login, in bytes: the longest address that mail knows (RFC 5321, section 4.5.3.1).
const maxLogin = 254

// ParseLogin returns a login in the form that is stored, or says why there can be no such user. It does not ask whether mail would reach
// anybody: identity providers and directories without mail domains have names such as alice@corp.
func ParseLogin(s string) (string, error) {
	login := strings.ToLower(strings.TrimSpace(s))
	name, domain, _ := strings.Cut(login, "@")
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`,*"\:@`, r)
	}
	switch {
	case name == "" || domain == "":
		return "", fmt.Errorf("login %q: %w: a login looks like alice@example.com", clean.Line(s, 80), ErrInvalid)
	case len(login) > maxLogin:
		return "", fmt.Errorf("login %q: %w: longer than %d bytes", clean.Line(s, 80), ErrInvalid, maxLogin)
	case !utf8.ValidString(login) || clean.Line(login, maxLogin) != login || strings.ContainsFunc(name, bad) || strings.ContainsFunc(domain, bad):
		return "", fmt.Errorf("login %q: %w: it has a character that no login has; a login looks like alice@example.com", clean.Line(s, 80), ErrInvalid)
	}
	return login, nil
}

// CheckGroup reports why name cannot be a directory group's, or nil.
func CheckGroup(name string) error {
	rest, ok := strings.CutPrefix(name, GroupPrefix)
	if ok && isWord(rest) {
		return nil
	}
	return fmt.Errorf("group %q: %w: a group is %s and 1 to %d lower case letters, digits, hyphens, dots or underscores, such as %sdev",
		clean.Line(name, 80), ErrInvalid, GroupPrefix, maxLabel, GroupPrefix)
}

func isWord(s string) bool {
	return s != "" && len(s) <= maxLabel && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// CheckTags reports why tags cannot be a node's, or nil.
func CheckTags(tags []string) error {
	if len(tags) > control.MaxTags {
		return fmt.Errorf("tags: %w: %d, at most %d are allowed", ErrLimit, len(tags), control.MaxTags)
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		rest, ok := strings.CutPrefix(t, TagPrefix)
		if !ok {
			return fmt.Errorf("tag %q: %w: it does not begin with %s", clean.Line(t, 80), ErrInvalid, TagPrefix)
		}
		if err := CheckName("tag", rest); err != nil {
			return err
		}
		if seen[t] {
			return fmt.Errorf("tag %q: %w: named twice", t, ErrInvalid)
		}
		seen[t] = true
	}
	return nil
}

// signedTags are a node's tags as its record carries them: labels, without the prefix.
func signedTags(tags []string) []string {
	var out []string
	for _, t := range tags {
		out = append(out, strings.TrimPrefix(t, TagPrefix))
	}
	return out
}

// NewUser checks a user and returns it as it is stored.
func NewUser(u User) (User, error) {
	login, err := ParseLogin(u.Login)
	if err != nil {
		return u, err
	}
	if _, err := ParseRole(u.Role.String()); err != nil {
		return u, err
	}
	u.Login = login
	u.Groups = slices.Compact(slices.Sorted(slices.Values(u.Groups)))
	if len(u.Groups) > MaxUserGroups {
		return u, fmt.Errorf("user %s: %w: in %d groups, at most %d are allowed", login, ErrLimit, len(u.Groups), MaxUserGroups)
	}
	for _, g := range u.Groups {
		if err := CheckGroup(g); err != nil {
			return u, err
		}
	}
	return u, nil
}

// Report is what a node says of its machine whenever it connects.
type Report struct {
	OS, OSVersion         string
	Distro, DistroVersion string
	Arch                  string
	Software              string // version of the daemon
}

// ReportOf reads a report, which may be nil.
func ReportOf(s *pb.Software) Report {
	return Report{OS: s.GetOs(), OSVersion: s.GetOsVersion(), Distro: s.GetDistro(), DistroVersion: s.GetDistroVersion(), Arch: s.GetArch(), Software: s.GetVersion()}
}

// Tidy returns the report with harmless texts of bounded length.
func (r Report) Tidy() Report {
	for _, text := range []*string{&r.OS, &r.OSVersion, &r.Distro, &r.DistroVersion, &r.Arch, &r.Software} {
		*text = clean.Line(*text, maxText)
	}
	return r
}

// Attrs are a report's attributes, named as the postures of a policy name them.
func (r Report) Attrs() map[string]string {
	r = r.Tidy()
	if r.OS == "darwin" {
		r.OS = "macos"
	}
	attrs := map[string]string{acl.AttrOS: r.OS, acl.AttrOSVersion: r.OSVersion, acl.AttrDistro: r.Distro, acl.AttrDistroVersion: r.DistroVersion, acl.AttrArch: r.Arch, acl.AttrVersion: r.Software}
	maps.DeleteFunc(attrs, func(_, v string) bool { return v == "" })
	return attrs
}
