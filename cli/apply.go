package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/cli/plan"
)

type applyOptions struct {
	*session
	file   string
	dryRun bool
	prune  bool
	yes    bool
	out    iox.Output
}

func newApply(s *session) *cobra.Command {
	o := &applyOptions{session: s}
	c := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Make a tenant what a file says",
		Long: "apply reads a TOML file with groups, users, and networks with their policies and approvals of routes, as cvlan admin export writes it, shows what " +
			"differs from the controller, and changes that. What the file does not name stays as it is; with --prune users and groups that it does not name are " +
			"deleted, networks never. Routes of a node that has not joined yet are told of as awaited. The same file again changes nothing. A change that somebody else makes meanwhile is never " +
			"overwritten: it ends with exit code 10, and so does a file that cannot come true. With --dry-run nothing is changed.",
		Example: "  cvlan admin apply -f acme.toml --dry-run\n  cvlan admin export | cvlan admin apply -f - --profile spare",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.file == "" {
				return usage(c, "-f FILE is missing")
			}
			want, err := o.read()
			if err != nil {
				return err
			}
			return s.do(c, func(w *work) error { return o.run(w, &want) })
		},
	}
	f := c.Flags()
	f.StringVarP(&o.file, "file", "f", "", "the file; - is standard input")
	f.BoolVar(&o.dryRun, "dry-run", false, "only show what would change")
	f.BoolVar(&o.prune, "prune", false, "delete users and groups that the file does not name")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask before deleting")
	outputFlags(c, &o.out)
	return c
}

func (o *applyOptions) read() (want plan.Tenant, err error) {
	in := o.IO.In
	if o.file != "-" {
		f, err := os.Open(o.file)
		if err != nil {
			return want, readFault("read", o.file, err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, plan.MaxFile+1))
	if err == nil && len(text) > plan.MaxFile {
		err = fmt.Errorf("it is longer than %d MiB", plan.MaxFile>>20)
	}
	if err != nil {
		return want, readFault("read", o.file, err)
	}
	if want, err = plan.Read(text); err != nil {
		return want, &iox.Error{Exit: iox.Invalid, What: "read " + o.file, Why: inLine(err), Err: err, Hint: "see an example: cvlan admin export"}
	}
	return want, nil
}

// inLine writes several errors in one line.
func inLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// applied is the JSON document.
type applied struct {
	Schema int         `json:"schema"`
	DryRun bool        `json:"dry_run"`
	Steps  []plan.Step `json:"steps"` // that were done, or with dry_run would be
}

func (o *applyOptions) run(w *work, want *plan.Tenant) error {
	have, err := w.describe()
	if err == nil {
		err = w.findRouters(&have, want)
	}
	if err != nil {
		return err
	}
	steps, err := plan.Steps(&have, want, o.prune)
	if err != nil {
		return &iox.Error{Exit: iox.Invalid, What: "apply " + o.file, Why: inLine(err), Err: err}
	}
	if !o.dryRun {
		if gone := deletions(steps); gone > 0 && !o.yes && !o.IO.Confirm(fmt.Sprintf("Delete what the file does not name: %d of users and groups?", gone)) {
			return &iox.Error{Exit: iox.Interrupted, What: "nothing was changed"}
		}
		for i, s := range steps {
			if s.Verb == plan.Await {
				continue
			}
			if err := w.step(&s); err != nil {
				return o.stopped(steps[:i], &s, err)
			}
		}
	}
	return o.out.Write(o.IO, applied{adminSchema, o.dryRun, append([]plan.Step{}, steps...)}, func() { o.print(steps) })
}

func deletions(steps []plan.Step) (n int) {
	for _, s := range steps {
		if s.Verb == plan.Delete {
			n++
		}
	}
	return n
}

// stopped says how far it came, and why not farther.
func (o *applyOptions) stopped(done []plan.Step, at *plan.Step, err error) error {
	for _, s := range done {
		o.IO.Notef("done: %s", stepText(&s))
	}
	var p *admin.Problem
	if errors.As(err, &p) && p.Review != nil {
		t := policyTalk{session: o.session}
		t.printReview(o.IO.Err, "the policy of "+at.Name, p.Review)
	}
	e, ok := explain(err).(*iox.Error)
	if !ok {
		return err
	}
	e.What = stepText(at) + ": " + e.What
	if e.Hint == "" {
		e.Hint = "what was done stays; apply the file again when that is mended"
	}
	return e
}

func stepText(s *plan.Step) string { return string(s.Verb) + " " + string(s.Kind) + " " + s.Name }

func (o *applyOptions) print(steps []plan.Step) {
	if len(steps) == 0 {
		o.IO.Printf("nothing changes")
		return
	}
	t := iox.Table{}
	style := map[plan.Verb]iox.Style{plan.Create: iox.Green, plan.Change: iox.Amber, plan.Delete: iox.Red, plan.Await: iox.Dim}
	for _, s := range steps {
		t.Row(iox.Cell(style[s.Verb], string(s.Verb)), string(s.Kind), s.Name, strings.Join(s.Detail, "; "))
	}
	t.Print(o.IO)
	if o.dryRun {
		o.IO.Notef("Nothing was changed.")
	}
}

// describe reads what the tenant is.
func (w *work) describe() (t plan.Tenant, err error) {
	groups, err := everyOf(w, admin.ListGroups, func(p admin.Page) admin.ListGroupsIn { return admin.ListGroupsIn{InTenant: w.InTenant, Page: p} })
	if err != nil {
		return t, err
	}
	for _, g := range groups {
		t.Groups = append(t.Groups, plan.Group{Name: strings.TrimPrefix(g.Name, "group:")})
	}
	users, err := everyOf(w, admin.ListUsers, func(p admin.Page) admin.ListUsersIn { return admin.ListUsersIn{InTenant: w.InTenant, Page: p} })
	if err != nil {
		return t, err
	}
	for _, u := range users {
		p := plan.User{Login: u.Login, Role: string(u.Role), ETag: strconv.FormatUint(u.Version, 10)}
		for _, g := range u.Groups {
			p.Groups = append(p.Groups, strings.TrimPrefix(g, "group:"))
		}
		t.Users = append(t.Users, p)
	}
	t.Networks, err = w.describeNetworks()
	return t, err
}

func (w *work) describeNetworks() (all []plan.Network, err error) {
	networks, err := everyOf(w, admin.ListNetworks, func(p admin.Page) admin.ListNetworksIn { return admin.ListNetworksIn{InTenant: w.InTenant, Page: p} })
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		policy, err := admin.Call(w, w.client, admin.GetPolicy, w.network(n.Name))
		if err != nil {
			return nil, err
		}
		p := plan.Network{Name: n.Name, Protocol: string(n.Protocol), Policy: &policy.Body.Text, ETag: policy.Body.ETag, Version: strconv.FormatUint(n.Version, 10)}
		if n.Range4.IsValid() {
			p.Range4 = n.Range4.String()
		}
		if n.Range6.IsValid() {
			p.Range6 = n.Range6.String()
		}
		if p.Routers, err = w.describeRouters(n.Name); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// step does one step. What was read is a condition: somebody else's change is not overwritten.
func (w *work) step(s *plan.Step) error {
	switch s.Kind {
	case plan.OfGroup:
		return w.stepGroup(s)
	case plan.OfUser:
		return w.stepUser(s)
	case plan.OfNetwork:
		if s.Verb == plan.Change {
			return one(w, w.client, admin.ChangeNetwork, admin.ChangeNetworkIn{OneNetworkIn: w.network(s.Name), IfMatch: admin.IfMatch{IfMatch: asETag(s.ETag)},
				Body: admin.NetworkChange{Protocol: admin.Protocol(s.Network.Protocol)}})
		}
		n := admin.NewNetwork{Name: s.Name}
		for _, r := range []struct {
			text string
			to   interface{ UnmarshalText([]byte) error }
		}{{s.Network.Range4, &n.Range4}, {s.Network.Range6, &n.Range6}} {
			if err := r.to.UnmarshalText([]byte(r.text)); err != nil { // nothing is the zero range
				return err
			}
		}
		return one(w, w.client, admin.CreateNetwork, admin.CreateNetworkIn{InTenant: w.InTenant, Body: n})
	case plan.OfRoutes: // no condition: the policy that was set just now may have approved some
		return w.stepRoutes(s)
	default:
		in := admin.SetPolicyIn{OneNetworkIn: w.network(s.Name), Body: admin.NewPolicy{Text: *s.Network.Policy, Comment: "cvlan admin apply"}}
		in.IfMatch.IfMatch = asETag(s.ETag)
		return one(w, w.client, admin.SetPolicy, in)
	}
}

func (w *work) stepGroup(s *plan.Step) error {
	if s.Verb == plan.Delete {
		return one(w, w.client, admin.DeleteGroup, w.group(s.Name))
	}
	return one(w, w.client, admin.CreateGroup, admin.CreateGroupIn{InTenant: w.InTenant, Body: admin.NewGroup{Name: s.Name}})
}

func (w *work) stepUser(s *plan.Step) error {
	at := admin.IfMatch{IfMatch: asETag(s.ETag)}
	role := admin.UserRole(s.User.Role)
	switch s.Verb {
	case plan.Create:
		return one(w, w.client, admin.CreateUser, admin.CreateUserIn{InTenant: w.InTenant, Body: admin.NewUser{Login: s.Name, Role: role, Groups: s.User.Groups}})
	case plan.Change:
		groups := append([]string{}, s.User.Groups...)
		return one(w, w.client, admin.ChangeUser, admin.ChangeUserIn{OneUserIn: w.user(s.Name), IfMatch: at, Body: admin.UserChange{Role: role, Groups: &groups}})
	default:
		return one(w, w.client, admin.DeleteUser, admin.DeleteUserIn{OneUserIn: w.user(s.Name), IfMatch: at})
	}
}

// one does an operation whose answer nobody needs.
func one[In, Out any](ctx context.Context, c *admin.Client, op admin.Op[In, Out], in In) error {
	_, err := admin.Call(ctx, c, op, in)
	return err
}
