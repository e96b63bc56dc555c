package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/bundle"
	"github.com/cvlan/cvlan/cli/doctor"
)

func newDebug(env *Env) *cobra.Command {
	return nouns("debug", "Gather what a report of a defect needs", "debug is for reports of defects.",
		"  sudo cvlan debug bundle\n  sudo cvlan debug bundle --anonymize", newBundle(env))
}

type bundleOptions struct {
	talk
	anonymize bool
	output    string
	replace   bool
}

func newBundle(env *Env) *cobra.Command {
	o := &bundleOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Write one file to attach to a report",
		Long: "bundle writes a tar.gz with the state, tunnels, security associations, paths, counters, versions, what doctor finds, a check of the network, and the daemon's " +
			"latest log lines. It has no keys or other secrets in it. It has names and addresses, unless --anonymize " +
			"replaces them, the same way everywhere, so that it can still be read. Nothing is sent anywhere. It works without a daemon, with less in it.",
		Example: "  sudo cvlan debug bundle\n  sudo cvlan debug bundle --anonymize -o report.tar.gz",
		Args:    takes(),
	}
	c.RunE = o.asks(func(ctx context.Context, _ []string) error { return o.run(ctx) })
	f := c.Flags()
	f.BoolVar(&o.anonymize, "anonymize", false, "replace names, keys and addresses")
	f.StringVarP(&o.output, "output", "o", "", "the file; - is standard output (default cvlan-bundle-DATE-TIME.tar.gz)")
	f.BoolVar(&o.replace, "replace", false, "overwrite the file if there is one")
	timeoutFlag(c, &o.timeout, 30*time.Second, "how long to gather")
	outputFlags(c, &o.out, "file")
	return c
}

func (o *bundleOptions) run(ctx context.Context) error {
	folder := "cvlan-bundle-" + o.Now().UTC().Format("20060102-150405")
	path := either(o.output, folder+".tar.gz")
	err := o.fill(path, o.replace, func() ([]byte, error) {
		files := o.gather(ctx)
		if errors.Is(ctx.Err(), context.Canceled) { // half of it is of no use
			return nil, ctx.Err()
		}
		var b bytes.Buffer
		err := bundle.Write(&b, folder, o.Now(), files)
		return b.Bytes(), err
	})
	if err != nil || path == "-" {
		return err
	}
	if !o.anonymize {
		defer o.IO.Notef("It has names and addresses in it; --anonymize replaces them.")
	}
	return o.out.Write(o.IO, document{map[string]string{"file": path}}, func() { o.IO.Printf("wrote %s", path) })
}

// mostPaths bounds the peers whose paths are told.
const mostPaths = 20

// gather collects the files. What cannot be had is told in one of them.
func (o *bundleOptions) gather(ctx context.Context) []bundle.File {
	p := o.progress(ctx, "gathering")
	defer p.stop()
	b := bundle.New(o.Now(), o.anonymize)
	facts := doctor.Look(ctx, o.Now(), o.client, o.host(), true)
	b.Add("versions.json", map[string]any{"client": facts.Client, "daemon": facts.Status.Daemon}, nil)
	b.Add("doctor.json", doctor.Judge(&facts), nil)
	b.Add("host.json", facts.Host, nil)
	name, _ := os.Hostname() // without one there is nothing to replace
	b.Anonymizer.Host(name, facts.Host.User, maps.Keys(facts.Host.Interfaces))
	if facts.Silence != nil {
		b.Add("status.json", nil, facts.Silence)
		b.AddText("log.txt", o.host().Journal(ctx), nil)
		return b.Files(rand.Reader)
	}
	b.Status(&facts.Status)
	b.Tunnels(facts.Tunnels)
	b.Check(facts.Check)
	for _, s := range facts.Skipped {
		b.Miss(s.Check, s.Why)
	}
	o.ask(ctx, b, &facts)
	return b.Files(rand.Reader)
}

// ask adds what only the daemon knows.
func (o *bundleOptions) ask(ctx context.Context, b *bundle.Bundle, f *doctor.Facts) {
	paths := []local.PeerPath{}
	for _, n := range f.Status.Networks {
		for _, peer := range n.Peers {
			if peer.Path == local.PathIdle || len(paths) == mostPaths {
				continue
			}
			if way, err := o.client.Path(ctx, local.PathRequest{Peer: peer.ID, Network: n.ID}); err == nil {
				paths = append(paths, way)
			}
		}
	}
	b.Anonymizer.Paths(paths)
	b.Add("paths.json", paths, nil)
	associations, err := o.client.IPsec(ctx)
	b.Anonymizer.IPsec(&associations)
	b.Add("ipsec.json", associations, err)
	denials, err := o.client.PolicyLog(ctx, local.PolicyLogRequest{})
	b.Anonymizer.Denials(&denials)
	b.Add("policy.json", denials, err)
	if f.Tunnels != nil && err == nil {
		b.AddText("metrics.txt", prometheus(&f.Status, f.Tunnels, &denials).String(), nil)
	}
	settings, err := o.client.Settings(ctx)
	b.Add("settings.json", settings, err)
	said, err := o.client.Log(ctx)
	if said.Forgotten > 0 {
		said.Lines = slices.Insert(said.Lines, 0, fmt.Sprintf("%d earlier lines are forgotten", said.Forgotten))
	}
	b.AddText("log.txt", strings.Join(append(said.Lines, ""), "\n"), err)
}
