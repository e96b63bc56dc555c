// Package cli is the program cvlan: one file a noun; in it for each command its options, the constructor that describes it, and
// run.
//
// It knows the daemon only through api/local and the controller only through api/admin. Every command says how it went in its
// exit code (iox.Exit), and every failure what failed, why, and what to type next.
package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/doctor"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/sys/svc"
)

// Env is everything outside that commands touch.
type Env struct {
	IO     *iox.IO
	Getenv func(string) string
	Now    func() time.Time
	Host   doctor.Host // what doctor looks at; nil: this machine
	// Services is the service manager; nil: the system's.
	Services *svc.Manager
	// AskAtMost is how long completion waits for an answer; 0: 400 ms.
	AskAtMost time.Duration

	telling atomic.Bool // somebody is told already that something takes its time
}

// Main runs the program in the process's environment and returns its exit code. Ctrl-C ends what runs, and so does SIGTERM.
func Main(args []string) int {
	return Run(UntilStopped(), &Env{IO: iox.System(), Getenv: os.Getenv, Now: time.Now}, args)
}

// UntilStopped returns a context that ctrl-C and SIGTERM end, for the rest of the process's life.
func UntilStopped() context.Context {
	ctx, end := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { end(stopped{<-signals}) }()
	return ctx
}

// stopped is why a command ends that somebody stops from outside.
type stopped struct{ os.Signal }

// Error implements error.
func (s stopped) Error() string { return "stopped by " + s.String() }

// exit is the code that a shell gives a program which the same signal has killed.
func (s stopped) exit() iox.Exit {
	if s.Signal == syscall.SIGTERM {
		return iox.Terminated
	}
	return iox.Interrupted
}

// Run runs one command line, without the program's name, and returns the exit code. Failures have been shown. Who cancels ctx stops the
// command, as ctrl-C does.
func Run(outer context.Context, env *Env, args []string) int {
	ctx, end := context.WithCancel(outer)
	defer end()
	env.IO.Bind(ctx, end)
	root := New(env)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) { // a shell asks
		env.completeAll(root)
		ctx, end = context.WithTimeout(ctx, cmp.Or(env.AskAtMost, askAtMost))
		defer end()
	}
	root.SetArgs(args)
	root.SetIn(env.IO.In)
	root.SetOut(env.IO.Out)
	root.SetErr(env.IO.Err)
	err := root.ExecuteContext(ctx)
	if lost := env.IO.Lost(); lost != nil {
		err = &iox.Error{Exit: iox.Internal, What: "write the output", Why: cause(lost), Err: lost}
	}
	if err == nil {
		return int(iox.OK)
	}
	if outer.Err() != nil { // whatever it ran into: the person has ended it
		by, _ := errors.AsType[stopped](context.Cause(outer))
		return int(by.exit())
	}
	err = explain(err)
	if !errors.Is(err, errShown) {
		env.IO.Fail("cvlan", err)
	}
	return int(iox.ExitOf(err))
}

// errShown is wrapped by errors of which the person has read all there is.
var errShown = errors.New("shown already")

// New returns the whole tree of commands.
func New(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "cvlan",
		Short:         "Join and look after private networks",
		Long:          "cvlan joins this machine to private networks and shows how they do; cvlan admin looks after the networks themselves.",
		Example:       "  sudo cvlan up --key-file office.key\n  cvlan status",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          group,
		Args:          cobra.ArbitraryArgs,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, flagFault(err)) })
	root.PersistentFlags().String("socket", "", "where the daemon listens (default $CVLAN_SOCKET, else "+local.DefaultSocket+")")
	root.AddGroup(&cobra.Group{ID: "node", Title: "This machine:"}, &cobra.Group{ID: "admin", Title: "The networks:"}, &cobra.Group{ID: "self", Title: "This program:"})
	for id, cmds := range map[string][]*cobra.Command{
		"node":  {newUp(env), newDown(env), newLogoutHere(env), newStatus(env), newPing(env), newPeers(env), newNetcheck(env), newDoctor(env), newIP(env), newWG(env), newIPsec(env), newRoute(env), newExit(env), newDNS(env), newCert(env), newMetrics(env), newGet(env), newSet(env), newWhoamiHere(env), newWhois(env), newWait(env), newNetworksHere(env), newTUI(env), newDebug(env), newService(env), newTray(env)},
		"admin": {newPolicy(env), newAdmin(env), newProfile(env)},
		"self":  {newVersion(env), newCompletion(env)},
	} {
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	root.SetHelpCommandGroupID("self")
	helps(root)
	return root
}

// helps has the command help refuse what is no command, as every other does.
func helps(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() != "help" {
			continue
		}
		c.Args = func(_ *cobra.Command, args []string) error {
			if at, rest, err := root.Find(args); err != nil || len(rest) > 0 {
				return group(at, rest)
			}
			return nil
		}
	}
}

// group is what a command does that only has commands below it: it helps, or says what it does not know.
func group(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	e := usage(c, "there is no command "+quoted(args[0]))
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		e.Hint = "did you mean: " + c.CommandPath() + " " + near[0]
	}
	return e
}

// daemon returns a client of the daemon.
func (e *Env) daemon(c *cobra.Command) *local.Client {
	path, _ := c.Flags().GetString("socket")
	if path == "" {
		path = e.Getenv("CVLAN_SOCKET")
	}
	if path == "" {
		path = local.DefaultSocket
	}
	return local.NewClient(path)
}
