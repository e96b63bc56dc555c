package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/policy/acl"
	"github.com/cvlan/cvlan/policy/migrate"
)

// importer turns a text into a document. What stands in it stood at moves.Back in the text.
type importer func(text []byte) (document []byte, notes []migrate.Note, moves migrate.Moves, err error)

// asItIs keeps a document that is one of ours as well.
func asItIs(text []byte) ([]byte, []migrate.Note, migrate.Moves, error) { return text, nil, nil, nil }

// netbird makes a new text, about whose places nothing is said: it is without errors.
func netbird(text []byte) ([]byte, []migrate.Note, migrate.Moves, error) {
	document, notes, err := migrate.Netbird(text)
	return document, notes, nil, err
}

type policyImport struct {
	*Env
	domain string
	output string
	force  bool
	out    iox.Output
}

// importDoc is the JSON document of an import.
type importDoc struct {
	Schema   int                   `json:"schema"`
	Document string                `json:"document"`
	Problems []admin.PolicyProblem `json:"problems"` // what does not carry over, by place
	Notes    []string              `json:"notes"`    // likewise, by name
}

func newPolicyImport(env *Env) *cobra.Command {
	o := &policyImport{Env: env}
	c := &cobra.Command{
		Use: "import FORMAT FILE", Short: "Take over another product's rules",
		Long: "import reads what another product writes, says what does not carry over, and writes a document. What does not carry over grants nothing. " +
			"FORMAT is tailscale for its policy file, which is a document as it is; headscale likewise, whose users may lack a domain and get that of " +
			"--domain; or netbird-json for the answer of NetBird's API to GET /api/policies: its groups of machines become tags, which somebody has to give to the nodes.",
		Example: "  cvlan policy import tailscale policy.hujson --output office.hujson\n  cvlan policy import netbird-json policies.json --json | jq -r '.notes[]'",
		Args:    takes("FORMAT", "FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			read, ok := map[string]importer{"tailscale": asItIs, "headscale": o.headscale, "netbird-json": netbird}[args[0]]
			if !ok {
				return usage(c, "FORMAT "+quoted(args[0])+": use tailscale, headscale or netbird-json")
			}
			return o.run(args[1], read)
		},
	}
	c.Flags().StringVar(&o.domain, "domain", "", "of Headscale's users without one: alice@ becomes alice@DOMAIN")
	c.Flags().StringVarP(&o.output, "output", "o", "", "write the document to this file (default: standard output)")
	c.Flags().BoolVar(&o.force, "force", false, "replace a file that is there")
	outputFlags(c, &o.out)
	exclusive(c, "json", "output")
	return c
}

func (o *policyImport) headscale(text []byte) ([]byte, []migrate.Note, migrate.Moves, error) {
	return migrate.Headscale(text, o.domain)
}

func hint(err error) string {
	if errors.Is(err, migrate.ErrDomain) {
		return "the same domain as in: cvlan admin user create alice@example.com\ngive it with: --domain example.com"
	}
	return ""
}

func (o *policyImport) run(file string, read importer) error {
	text, err := o.readPolicy(file)
	if err != nil {
		return err
	}
	document, notes, moves, err := read(text)
	if err != nil {
		return &iox.Error{Exit: iox.Invalid, What: "read " + file, Why: err.Error(), Hint: hint(err), Err: err}
	}
	parsed, problems := acl.Parse(document, acl.Options{Zone: time.LoadLocation})
	for i := range problems {
		problems[i].Pos = moves.Back(problems[i].Pos)
	}
	doc := importDoc{adminSchema, string(document), admin.TellProblems(problems), []string{}}
	for _, n := range notes {
		doc.Notes = append(doc.Notes, n.String())
	}
	for _, p := range doc.Problems {
		printProblem(o.IO.Err, file, p)
	}
	for _, n := range doc.Notes {
		o.IO.Notef("%s: warning: %s", file, n)
	}
	if parsed == nil {
		return &iox.Error{Exit: iox.Invalid, What: "import " + file, Why: count(severe(doc.Problems, "error"), "error"), Hint: "mend them in the file and import it again"}
	}
	if o.out.ForScripts() {
		return o.out.Write(o.IO, doc, nil)
	}
	if err := o.putOut(o.output, o.force, document); err != nil {
		return err
	}
	written := either(o.output, "FILE")
	o.IO.Notef("%s, %s. Next: cvlan policy check %s, then cvlan policy set %s", count(len(parsed.Rules), "rule"), count(severe(doc.Problems, "warning")+len(notes), "warning"), written, written)
	return nil
}
