package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/cvlan/cvlan/internal/base/clean"
)

// MaxFile bounds a file, in bytes.
const MaxFile = 16 << 20

// Tenant is what a tenant shall be, or is.
type Tenant struct {
	Groups   []Group   `toml:"group"`
	Users    []User    `toml:"user"`
	Networks []Network `toml:"network"`
}

// Group is a group of users; who is in it stands with the users.
type Group struct {
	Name string `toml:"name"` // without the prefix group:
}

// User is a person of the directory.
type User struct {
	Login  string   `toml:"login"`
	Role   string   `toml:"role"` // "": member
	Groups []string `toml:"groups"`
	ETag   string   `toml:"-"` // as it was read
}

// Network is a network and its policy.
type Network struct {
	Name   string `toml:"name"`
	Range4 string `toml:"range4"` // "": whatever it is
	Range6 string `toml:"range6"`
	// Protocol is any, wireguard or ipsec; "": whatever it is.
	Protocol string   `toml:"protocol"`
	Policy   *string  `toml:"policy"` // HuJSON; nil: whatever it is
	Routers  []Router `toml:"router"`
	ETag     string   `toml:"-"` // of the policy, as it was read
	Version  string   `toml:"-"` // the network's own, likewise
}

// Read reads a file and tells everything that is wrong with it.
func Read(text []byte) (Tenant, error) {
	var t Tenant
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return t, reason(err)
	}
	t.normal()
	return t, t.check()
}

// reason says where in the file it went wrong, in one line.
func reason(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		line, _ := unknown.Errors[0].Position()
		return fmt.Errorf("line %d: there is no field %s", line, strings.Join(unknown.Errors[0].Key(), "."))
	}
	var at *toml.DecodeError
	if errors.As(err, &at) {
		line, column := at.Position()
		return fmt.Errorf("line %d, column %d: %w", line, column, errors.New(strings.TrimPrefix(at.Error(), "toml: ")))
	}
	return err
}

// normal writes everything as the controller does.
func (t *Tenant) normal() {
	for i := range t.Groups {
		t.Groups[i].Name = bare(t.Groups[i].Name)
	}
	for i := range t.Users {
		u := &t.Users[i]
		u.Login = strings.ToLower(u.Login)
		if u.Role == "" {
			u.Role = "member"
		}
		for j, g := range u.Groups {
			u.Groups[j] = bare(g)
		}
	}
	for i := range t.Networks {
		for j := range t.Networks[i].Routers {
			t.Networks[i].Routers[j].normal()
		}
	}
}

func bare(group string) string { return strings.TrimPrefix(group, "group:") }

// check tells what no controller would accept, all of it.
func (t *Tenant) check() error {
	var all []error
	seen := map[string]bool{}
	once := func(kind, name string) {
		if name == "" {
			all = append(all, fmt.Errorf("a %s has no name", kind))
		} else if seen[kind+name] {
			all = append(all, fmt.Errorf("the %s %.80q is there twice", kind, name))
		}
		seen[kind+name] = true
	}
	for _, g := range t.Groups {
		once("group", g.Name)
	}
	for _, u := range t.Users {
		once("user", u.Login)
		if u.Role != "member" && u.Role != "admin" && u.Role != "owner" {
			all = append(all, fmt.Errorf("the user %.80q has the role %.40q: use member, admin or owner", u.Login, u.Role))
		}
	}
	for _, n := range t.Networks {
		once("network", n.Name)
		if !slices.Contains([]string{"", "any", "wireguard", "ipsec"}, n.Protocol) {
			all = append(all, fmt.Errorf("the network %.80q has the protocol %.40q: use any, wireguard or ipsec", n.Name, n.Protocol))
		}
		for _, r := range []string{n.Range4, n.Range6} {
			if p, err := netip.ParsePrefix(r); r != "" && (err != nil || p != p.Masked()) {
				all = append(all, fmt.Errorf("the network %.80q has the range %.80q: write it like 10.77.0.0/16", n.Name, r))
			}
		}
		for _, r := range n.Routers {
			once("node", r.Node+"."+n.Name)
			all = append(all, r.check(n.Name))
		}
	}
	return errors.Join(all...)
}

// Write writes the file. Remarks become comments at its head.
func (t *Tenant) Write(w io.Writer, remarks ...string) error {
	var b bytes.Buffer
	for _, r := range remarks {
		fmt.Fprintf(&b, "# %s\n", clean.Line(r, 1000))
	}
	for _, g := range t.Groups {
		fmt.Fprintf(&b, "\n[[group]]\nname = %s\n", quote(g.Name))
	}
	for _, u := range t.Users {
		fmt.Fprintf(&b, "\n[[user]]\nlogin = %s\nrole = %s\n", quote(u.Login), quote(u.Role))
		fmt.Fprintf(&b, "groups = [%s]\n", quoteAll(u.Groups))
	}
	for _, n := range t.Networks {
		fmt.Fprintf(&b, "\n[[network]]\nname = %s\n", quote(n.Name))
		if n.Range4 != "" {
			fmt.Fprintf(&b, "range4 = %s\n", quote(n.Range4))
		}
		if n.Range6 != "" {
			fmt.Fprintf(&b, "range6 = %s\n", quote(n.Range6))
		}
		if n.Protocol != "" && n.Protocol != "any" {
			fmt.Fprintf(&b, "protocol = %s\n", quote(n.Protocol))
		}
		if n.Policy != nil {
			fmt.Fprintf(&b, "policy = %s\n", document(*n.Policy))
		}
		for _, r := range n.Routers {
			r.write(&b)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// quote writes a string of one line. JSON's escapes are among TOML's.
func quote(s string) string {
	b, _ := json.Marshal(s) // of a string, that cannot fail
	return strings.ReplaceAll(string(b), "\x7f", `\u007f`)
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ", ")
}

// document writes a policy as it is, over many lines; one that TOML cannot hold so is written with escapes.
func document(s string) string {
	odd := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }
	if strings.Contains(s, "'''") || strings.HasSuffix(s, "'") || strings.ContainsFunc(s, odd) || !utf8.ValidString(s) {
		return quote(s)
	}
	return "'''\n" + s + "'''"
}
