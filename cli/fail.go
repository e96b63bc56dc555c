package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/trust"
)

// usage makes the error of a command line that makes no sense.
func usage(c *cobra.Command, why string) *iox.Error {
	return &iox.Error{Exit: iox.Usage, What: "read the command line", Why: why, Hint: "see: " + c.CommandPath() + " --help"}
}

// flagFault says what is wrong with a flag, in the words of other refusals.
func flagFault(err error) string {
	if none, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return "--" + none.GetFlag().Name + " needs a value"
	}
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err.Error()
	}
	name := "--" + bad.GetFlag().Name
	if w, ok := errors.AsType[want](err); ok {
		return name + " " + quoted(bad.GetValue()) + ": " + w.Error()
	}
	switch number, _ := errors.AsType[*strconv.NumError](err); {
	case number == nil:
		return name + ": " + bad.Unwrap().Error()
	case number.Func == "ParseBool":
		return name + " " + quoted(bad.GetValue()) + ": want true or false"
	case errors.Is(err, strconv.ErrRange):
		return name + " " + quoted(bad.GetValue()) + ": the number is too large"
	default:
		return name + " " + quoted(bad.GetValue()) + ": want a whole number"
	}
}

// takes checks how many arguments there are; names are as in the usage line.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage(c, names[len(args)]+" is missing")
		case len(args) > len(names):
			return usage(c, "there is one argument too many: "+quoted(args[len(names)]))
		}
		return nil
	}
}

// takesMore is takes, but the last argument may be repeated.
func takesMore(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return takes(names...)(c, args[:min(len(args), len(names))])
	}
}

// atMost checks that there are no more arguments than that.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return usage(c, "there is one argument too many: "+quoted(args[n]))
		}
		return nil
	}
}

func quoted(s string) string { return strconv.Quote(iox.Clean(s)) }

// explain gives every error its exit code and, where there is one, a hint.
func explain(err error) error {
	var shown *iox.Error
	var l *local.Error
	var p *admin.Problem
	var expired *trust.ExpiredError
	switch {
	case errors.As(err, &shown):
		return err
	case errors.As(err, &l):
		return &iox.Error{Exit: localExit(l.Code), What: l.Title, Why: l.Detail, Hint: l.Hint, Err: err}
	case errors.As(err, &p):
		return &iox.Error{Exit: adminExit(p.Code), What: p.Title, Why: p.Detail, Hint: p.Hint, Err: err}
	case errors.Is(err, local.ErrNoDaemon):
		return noDaemon(err)
	case errors.Is(err, admin.ErrNoLogin):
		return &iox.Error{Exit: iox.NeedsLogin, What: "find the controller", Why: err.Error(), Err: err,
			Hint: "log in with the key that the controller wrote: cvlan admin login --key-file FILE"}
	case errors.Is(err, trust.ErrPin) || errors.Is(err, trust.ErrRole):
		return &iox.Error{Exit: iox.Invalid, What: "connect to the controller", Why: err.Error(), Err: err,
			Hint: "a controller that was set up anew needs a new key: cvlan admin login --key-file FILE; else something stands between"}
	case errors.As(err, &expired):
		return &iox.Error{Exit: iox.Invalid, What: "connect to the controller", Why: expired.Error(), Err: err}
	case errors.Is(err, admin.ErrUnreachable):
		return &iox.Error{Exit: iox.Unreachable, What: "connect to the controller", Why: err.Error(), Err: err,
			Hint: unanswered(err)}
	case errors.Is(err, local.ErrLate):
		return &iox.Error{Exit: iox.Timeout, What: "ask the daemon", Why: "no answer came within --timeout", Err: err,
			Hint: "it is busy or stuck: sudo cvlan doctor, journalctl -u cvland; more time: --timeout 2m"}
	case errors.Is(err, admin.ErrLate):
		return &iox.Error{Exit: iox.Timeout, What: "ask the controller", Why: "no answer came within --timeout", Err: err,
			Hint: "it is busy, or far away, and what was asked may still be done; more time: --timeout 2m"}
	case errors.Is(err, context.DeadlineExceeded):
		return &iox.Error{Exit: iox.Timeout, What: "wait for an answer", Why: "it took longer than --timeout", Err: err}
	default:
		return &iox.Error{Exit: iox.Internal, What: err.Error(), Err: err}
	}
}

func unanswered(err error) string {
	if name := new(net.DNSError); errors.As(err, &name) {
		return "is the name right, and does this machine resolve names?"
	}
	return "does it run, is that its port, and does a firewall let TCP through to it?"
}

func noDaemon(err error) error {
	e := &iox.Error{Exit: iox.NoDaemon, What: "ask the daemon", Why: err.Error(), Err: err,
		Hint: "start it: sudo systemctl start cvland   (or in a terminal: sudo cvland)"}
	if errors.Is(err, fs.ErrPermission) {
		e.Exit, e.Hint = iox.Permission, "use sudo, or become a member of the group cvlan"
	}
	return e
}

func localExit(c local.Code) iox.Exit {
	switch c {
	case local.CodeInvalid, local.CodeAmbiguous, local.CodeConflict, local.CodeBusy:
		return iox.Invalid
	case local.CodePermission:
		return iox.Permission
	case local.CodeNotFound:
		return iox.NotFound
	case local.CodeNeedsJoin, local.CodeRefused:
		return iox.NeedsLogin
	case local.CodeUnreachable:
		return iox.Unreachable
	case local.CodeTimeout:
		return iox.Timeout
	case local.CodeDenied:
		return iox.Denied
	case local.CodeSkew:
		return iox.Skew
	default:
		return iox.Internal
	}
}

func adminExit(c admin.Code) iox.Exit {
	switch c {
	case admin.CodeInvalid, admin.CodeExists, admin.CodeConflict, admin.CodeAmbiguous, admin.CodeChanged, admin.CodeLimit, admin.CodeReused, admin.CodeTooLarge, admin.CodePolicy:
		return iox.Invalid
	case admin.CodePolicyTest:
		return iox.Denied
	case admin.CodeUnknownKey:
		return iox.NeedsLogin
	case admin.CodePermission:
		return iox.Permission
	case admin.CodeNotFound:
		return iox.NotFound
	case admin.CodeUnknownRoute:
		return iox.Skew
	case admin.CodeTooMany:
		return iox.Timeout
	default:
		return iox.Internal
	}
}

// failed makes an error of a membership's own trouble.
func failed(what string, exit iox.Exit, p *local.Problem) error {
	e := &iox.Error{Exit: exit, What: what}
	if p != nil {
		e.Why, e.Hint = p.What, p.Hint
		switch known := localExit(local.Code(p.Code)); {
		case known != iox.Internal:
			e.Exit = known
		case p.Code == "range-clash" || p.Code == "interface-taken": // in conflict with what the machine has
			e.Exit = iox.Invalid
		}
	}
	return e
}

// readFault is the error of a file that a person named.
func readFault(what, path string, err error) error {
	exit, hint := iox.Invalid, ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		exit = iox.NotFound
	case errors.Is(err, fs.ErrPermission):
		verb, _, _ := strings.Cut(what, " ")
		exit, hint = iox.Permission, "use sudo, or name a file that this user may "+verb
	}
	return &iox.Error{Exit: exit, What: fmt.Sprintf("%s %s", what, path), Why: cause(err), Hint: hint, Err: err}
}

// cause is what the system says of a file, without the path.
func cause(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err.Error()
	}
	return err.Error()
}
