package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/version"
)

func newVersion(env *Env) *cobra.Command {
	o := &talk{Env: env, timeout: span(2 * time.Second)}
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of this program and of the daemon",
		Long:    "version prints which build this program is, and which the daemon is if it runs.",
		Example: "  cvlan version\n  cvlan version --template '{{.client.version}}'",
		Args:    takes(),
		RunE:    o.asks(func(ctx context.Context, _ []string) error { return o.versions(ctx) }),
	}
	outputFlags(c, &o.out, "client.version")
	return c
}

// versions is the JSON document.
type versions struct {
	Schema int           `json:"schema"`
	Client version.Info  `json:"client"`
	Daemon *version.Info `json:"daemon,omitempty"`
}

func (t *talk) versions(ctx context.Context) error {
	v := versions{Schema: local.Schema, Client: version.Get()}
	if d, err := t.client.Version(ctx); err == nil {
		v.Daemon = &d.Daemon
	}
	return t.out.Write(t.IO, v, func() {
		t.IO.Printf("cvlan   %s", build(v.Client))
		if v.Daemon == nil {
			t.IO.Printf("cvland  does not answer")
			return
		}
		t.IO.Printf("cvland  %s", build(*v.Daemon))
		if v.Daemon.Version != v.Client.Version {
			t.IO.Notef("The daemon is another version; restart it to run the one that is installed.")
		}
	})
}

func build(i version.Info) string {
	text := i.Version
	if i.Commit != "" {
		text += " (" + i.Commit + ")"
	}
	text += ", " + i.Go
	if m := i.Module(); m != "" {
		text += ", " + m
	}
	return text
}
