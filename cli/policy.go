package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/policy/acl"
)

func newPolicy(env *Env) *cobra.Command {
	s := &session{Env: env}
	c := nouns("policy", "Say who may reach whom",
		"A network's policy is one text that says who may reach whom in it; what no rule allows does not pass. check, test, import and fmt work on "+
			"files and need no controller, log asks this machine's daemon, and all others talk to the controller, as the commands under cvlan admin do.",
		"  cvlan policy check office.hujson\n  cvlan policy set office.hujson\n  cvlan policy explain alice@example.com web-1:443",
		append(newPolicyTalks(s), newPolicyCheck(s, false), newPolicyTest(s, false), newPolicyImport(env), newPolicyFmt(env), newPolicyLog(env))...)
	s.flags(c)
	return c
}

// newAdminPolicy is the same below cvlan admin: all of it talks to the controller.
func newAdminPolicy(s *session) *cobra.Command {
	c := nouns("policy", "Say who may reach whom",
		"The commands of cvlan policy that talk to the controller; here check and test ask it too, and know its users, groups and nodes.",
		"  cvlan admin policy check office.hujson\n  cvlan admin policy status --network office",
		append(newPolicyTalks(s), newPolicyCheck(s, true), newPolicyTest(s, true))...)
	for _, below := range c.Commands() {
		below.Example = strings.ReplaceAll(below.Example, "cvlan policy", "cvlan admin policy")
	}
	return c
}

func newPolicyTalks(s *session) []*cobra.Command {
	return []*cobra.Command{newPolicyShow(s), newPolicyEdit(s), newPolicySet(s), newPolicyDiff(s), newPolicyWhatif(s), newPolicyHistory(s),
		newPolicyRollback(s), newPolicyExplain(s), newPolicyStatus(s)}
}

// readText reads a text of at most so many bytes from a file, or from standard input if that is "-".
func (e *Env) readText(what, path string, most int) ([]byte, error) {
	in := e.IO.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, readFault("read "+what, path, err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(most)+1))
	if err != nil {
		return nil, readFault("read "+what, path, err)
	}
	if len(b) > most {
		return nil, &iox.Error{Exit: iox.Invalid, What: "read " + what + " " + path, Why: "it is longer than " + iox.Bytes(uint64(most)), Err: errTooLong}
	}
	return b, nil
}

// errTooLong is why readText refuses a text.
var errTooLong = errors.New("too long")

func (e *Env) readPolicy(path string) ([]byte, error) {
	b, err := e.readText("the policy", path, acl.MaxSize)
	if long, ok := errors.AsType[*iox.Error](err); ok && long.Err == errTooLong {
		long.Hint = "put lists of addresses into \"hosts\" as prefixes, and people into groups of the directory"
	}
	if err == nil && len(b) == 0 {
		return nil, &iox.Error{Exit: iox.Invalid, What: "read the policy " + path, Why: "it is empty", Hint: "a policy that lets nobody reach anybody is {}"}
	}
	return b, err
}

// reviewDoc is the JSON document of a review.
type reviewDoc struct {
	Schema int    `json:"schema"`
	File   string `json:"file"`
	admin.PolicyReview
}

// printProblem writes a problem as compilers do, so that editors find the place.
func printProblem(to io.Writer, file string, p admin.PolicyProblem) {
	var b strings.Builder
	b.WriteString(iox.Clean(file))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": " + iox.Clean(p.Severity) + ": ")
	if p.Path != "" {
		b.WriteString(iox.Clean(p.Path) + ": ")
	}
	if p.Text != "" {
		b.WriteString(quoted(p.Text) + ": ")
	}
	b.WriteString(iox.Clean(p.What))
	if p.Hint != "" {
		b.WriteString("; " + iox.Clean(p.Hint))
	}
	fmt.Fprintln(to, b.String())
}

// printFailure writes a test that failed: the first line says what, the others why.
func printFailure(to io.Writer, file string, f admin.PolicyFailure, whole bool) {
	first, rest, _ := strings.Cut(f.Why, "\n")
	fmt.Fprintf(to, "%s:%d:%d: failed: %s: %s\n", iox.Clean(file), f.Line, f.Column, iox.Clean(f.Path), iox.Clean(first))
	for line := range strings.Lines(rest) {
		if whole {
			fmt.Fprintf(to, "    %s\n", iox.Clean(strings.TrimRight(line, "\n")))
		}
	}
}

// printReview writes everything that there is to say about a document.
func (e *Env) printReview(to io.Writer, file string, r *admin.PolicyReview) {
	for _, p := range r.Problems {
		printProblem(to, file, p)
	}
	for _, f := range r.Failures {
		printFailure(to, file, f, false)
	}
}

// everyRule says what to type to see more of the tests of a document that fail.
func everyRule(file string) string {
	if file == "-" || strings.ContainsAny(file, " '\"") { // standard input, a version, or what a shell would not take as it is
		file = "FILE"
	}
	return "see every rule that was looked at: cvlan policy test " + iox.Clean(file)
}

// verdict is the error of a document that cannot be put in force; look is what shows more of a test that failed.
func verdict(what, look string, r *admin.PolicyReview) error {
	if r.Valid {
		return nil
	}
	if n := severe(r.Problems, "error"); n > 0 {
		return &iox.Error{Exit: iox.Invalid, What: what, Why: count(n, "error")}
	}
	return &iox.Error{Exit: iox.Denied, What: what, Why: strconv.Itoa(len(r.Failures)) + " of " + count(r.Tests, "test") + " failed",
		Hint: look}
}

// severe counts the problems of a severity, those that are not told too.
func severe(list []admin.PolicyProblem, severity string) (n int) {
	for _, p := range list {
		if p.Severity == severity {
			n += max(p.More, 1)
		}
	}
	return n
}

// count writes "1 rule", "2 rules".
func count[N ~int | ~uint64](n N, noun string) string { return words.Count(n, noun) }

// putOut writes a text to a file that is not there yet, or to standard output if it has no name.
func (e *Env) putOut(path string, replace bool, text []byte) error {
	if path == "" || path == "-" {
		e.printText(string(text))
		return nil
	}
	return e.fill(path, replace, func() ([]byte, error) { return text, nil })
}

// newPolicyFmt formats files.
func newPolicyFmt(env *Env) *cobra.Command {
	var write, check bool
	c := &cobra.Command{
		Use: "fmt FILE", Short: "Format a document", Long: "fmt writes a document in one fixed style, comments included, to standard output, or with --write into the file. " +
			"With --check it says whether that would change anything: exit code 12.",
		Example: "  cvlan policy fmt office.hujson\n  cvlan policy fmt --write office.hujson",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			text, err := env.readPolicy(args[0])
			if err != nil {
				return err
			}
			neat, err := acl.Format(text)
			var p acl.Problems
			if errors.As(err, &p) {
				for _, x := range admin.TellProblems(p) {
					printProblem(env.IO.Err, args[0], x)
				}
				return &iox.Error{Exit: iox.Invalid, What: "format " + args[0], Why: "it is not JSON, with comments or without"}
			}
			switch {
			case check && !bytes.Equal(text, neat):
				return &iox.Error{Exit: iox.Degraded, What: args[0] + " is not formatted", Hint: "format it: cvlan policy fmt --write " + args[0]}
			case check, write && bytes.Equal(text, neat):
				return nil
			case write && args[0] != "-":
				return env.putOut(args[0], true, neat)
			}
			return env.putOut("-", false, neat)
		},
	}
	c.Flags().BoolVarP(&write, "write", "w", false, "write the file anew")
	c.Flags().BoolVar(&check, "check", false, "only say whether it is formatted")
	exclusive(c, "write", "check")
	return c
}
