package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
	"github.com/cvlan/cvlan/internal/base/version"
)

type versionOptions struct {
	*Env
	client *local.Client
	out    iox.Output
}

func newVersion(env *Env) *cobra.Command {
	o := &versionOptions{Env: env}
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of this program and of the daemon",
		Long:    "version prints which build this program is, and which the daemon is if it runs.",
		Example: "  cvlan version\n  cvlan version --template '{{.client.version}}'",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			o.client = env.daemon(c)
			return o.run(c.Context())
		},
	}
	outputFlags(c, &o.out)
	return c
}

// versions is the JSON document.
type versions struct {
	Schema int           `json:"schema"`
	Client version.Info  `json:"client"`
	Daemon *version.Info `json:"daemon,omitempty"`
}

func (o *versionOptions) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	v := versions{Schema: local.Schema, Client: version.Get()}
	if d, err := o.client.Version(ctx); err == nil {
		v.Daemon = &d.Daemon
	}
	return o.out.Write(o.IO, v, func() {
		o.IO.Printf("cvlan   %s", build(v.Client))
		if v.Daemon == nil {
			o.IO.Printf("cvland  does not answer")
			return
		}
		o.IO.Printf("cvland  %s", build(*v.Daemon))
		if v.Daemon.Version != v.Client.Version {
			o.IO.Notef("The daemon is another version; restart it to run the one that is installed.")
		}
	})
}

func build(i version.Info) string {
	text := i.Version
	if i.Commit != "" {
		text += " (" + i.Commit + ")"
	}
	return text + ", " + i.Go
}
