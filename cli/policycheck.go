package cli

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/policy/acl"
	why "github.com/cvlan/cvlan/policy/explain"
)

// look is a document that is looked at, by this program or by the controller.
type look struct {
	policyTalk
	online      bool // asks the controller in any case, not only about a network that is named
	file        string
	directories []string
	at          string
}

func (o *look) flags(c *cobra.Command) {
	if o.online {
		o.networkFlag(c)
	} else {
		c.Flags().StringVarP(&o.network, "network", "n", "", "have the controller look, as if it were to put the document in force in this network")
	}
	if !o.online {
		c.Flags().StringArrayVar(&o.directories, "directory", nil, "file with users, groups and nodes, as the --json of cvlan admin user list, group list and node list has them; may be given several times")
	}
	c.Flags().StringVar(&o.at, "at", "", "instant for tests that name none, such as 2027-03-01T09:00:00Z (default now)")
	outputFlags(c, &o.out)
}

// knows says where users, groups and nodes are known from.
func (o *look) knows() string {
	if o.online {
		return "The controller looks, which knows users, groups and nodes, and says what putting it in force would say; nothing changes."
	}
	return "Groups of the directory, and nodes by their addresses, are known from --directory, or from the controller with --network."
}

// more is an example of a check that knows them.
func (o *look) more() string {
	if o.online {
		return "\n  cvlan policy check office.hujson --network office"
	}
	return "\n  cvlan admin user list --json > users.json && cvlan policy check office.hujson --directory users.json"
}

func newPolicyCheck(s *session, online bool) *cobra.Command {
	o := &look{policyTalk: policyTalk{session: s}, online: online}
	c := &cobra.Command{
		Use: "check FILE", Short: "Find what is wrong with a document",
		Long: "check reads a document and tells everything that is wrong with it at once, each with line, column, text and a hint, then runs its " +
			"tests. It ends with 10 if the document has errors, and with 8 if a test fails. FILE may be - for standard input. " + o.knows(),
		Example: "  cvlan policy check office.hujson\n  cvlan policy check office.hujson --json | jq -r '.problems[].what'" + o.more(),
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = args[0]
			r, err := o.review(c)
			if err != nil {
				return err
			}
			doc := reviewDoc{adminSchema, o.file, *r}
			if err := o.out.Write(o.IO, doc, func() {
				o.printReview(o.IO.Out, o.file, r)
				if r.Valid {
					o.IO.Printf("%s: %s, %s passed, %s", o.file, count(r.Rules, "rule"), count(r.Tests, "test"), count(severe(r.Problems, "warning"), "warning"))
				}
			}); err != nil {
				return err
			}
			return verdict("check "+o.file, everyRule(o.file), r)
		},
	}
	o.flags(c)
	return c
}

func newPolicyTest(s *session, online bool) *cobra.Command {
	o := &look{policyTalk: policyTalk{session: s}, online: online}
	c := &cobra.Command{
		Use: "test [FILE]", Short: "Run a document's tests",
		Long: "test runs the tests that stand in a document, or without FILE those of the document that is in force: people, groups and tags may have changed since. Of " +
			"each that fails it shows every rule that was looked at. A user, a tag or a group " +
			"in a test stands for any node that it would be: nobody need be there. It ends with 8 if a test fails, and with 10 if the document has errors. " + o.knows(),
		Example: "  cvlan policy test office.hujson\n  cvlan policy test office.hujson --at 2027-03-06T12:00:00Z\n  cvlan policy test",
		Args:    atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.file = strings.Join(args, "")
			r, err := o.review(c)
			if err != nil {
				return err
			}
			doc := reviewDoc{adminSchema, o.file, *r}
			if err := o.out.Write(o.IO, doc, func() { o.printTests(r) }); err != nil {
				return err
			}
			return verdict("test "+o.file, "", r)
		},
	}
	o.flags(c)
	return c
}

func (o *look) printTests(r *admin.PolicyReview) {
	for _, p := range r.Problems {
		if p.Severity == "error" {
			printProblem(o.IO.Out, o.file, p)
		}
	}
	for _, f := range r.Failures {
		printFailure(o.IO.Out, o.file, f, true)
	}
	switch {
	case r.Valid && r.Tests == 0:
		o.IO.Notef(`There is no test in it. Such as: "tests": [{"src": "alice@example.com", "accept": ["tag:web:443"]}]`)
	case r.Valid:
		o.IO.Printf("%s: %s passed", o.file, count(r.Tests, "test"))
	}
}

// review reads the document, or without a file gets the one that is in force, and finds everything that there is to say.
func (o *look) review(c *cobra.Command) (*admin.PolicyReview, error) {
	at, err := instant(c, o.at, time.Time{})
	if err != nil {
		return nil, err
	}
	var text []byte
	if o.file != "" {
		if text, err = o.readPolicy(o.file); err != nil {
			return nil, err
		}
		if !o.online && o.network == "" {
			return o.alone(text, at)
		}
	}
	var r admin.CheckPolicyOut
	err = o.do(c, func(w *work, n admin.OneNetworkIn) (err error) {
		body := admin.PolicyText{Text: string(text), At: at}
		if o.file == "" {
			p, err := w.policy(n, 0)
			if err != nil {
				return err
			}
			body.Text, o.file = p.Text, n.Network+" version "+nth(p.Number)
		}
		r, err = admin.Call(w, w.client, admin.CheckPolicy, admin.CheckPolicyIn{OneNetworkIn: n, Body: body})
		return err
	})
	return &r.Body, err
}

// alone reviews a document without a controller.
func (o *look) alone(text []byte, at time.Time) (*admin.PolicyReview, error) {
	if at.IsZero() {
		at = o.Now()
	}
	d, err := o.directory()
	if err != nil {
		return nil, err
	}
	r := &admin.PolicyReview{Failures: []admin.PolicyFailure{}}
	doc, problems := acl.Parse(text, acl.Options{Zone: time.LoadLocation, Groups: d.GroupNames()})
	if r.Problems = admin.TellProblems(problems); doc == nil {
		return r, nil
	}
	r.Rules, r.Tests = len(doc.Rules), len(doc.Tests)
	n, _, err := d.Network(doc)
	if err != nil {
		return nil, &iox.Error{Exit: iox.Invalid, What: "read the directory", Why: err.Error(), Err: err}
	}
	failures, _ := why.Test(n, at, nil)
	r.Failures = admin.TellFailures(failures, nil)
	r.Valid = len(r.Failures) == 0
	return r, nil
}

// maxDirectory bounds a file with users, groups or nodes, in bytes.
const maxDirectory = 256 << 20

// directory reads what is known of users and nodes.
func (o *look) directory() (*why.Directory, error) {
	all := &why.Directory{}
	for _, path := range o.directories {
		b, err := o.readText("the directory", path, maxDirectory)
		if err != nil {
			return nil, err
		}
		var d why.Directory
		if err := json.Unmarshal(b, &d); err != nil {
			return nil, &iox.Error{Exit: iox.Invalid, What: "read the directory " + path, Why: err.Error(), Err: err,
				Hint: "it looks like what cvlan admin user list --json prints, or node list"}
		}
		all.Add(d)
	}
	return all, nil
}

// instant reads a time that a person gave, or returns another.
func instant(c *cobra.Command, text string, preset time.Time) (time.Time, error) {
	if text == "" {
		return preset, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage(c, "--at "+quoted(text)+": write it like 2027-03-01T09:00:00Z")
	}
	return at, nil
}
