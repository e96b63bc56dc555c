package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newPeers(env *Env) *cobra.Command {
	o := &peersOptions{talk{Env: env}}
	c := &cobra.Command{
		Use:   "peers",
		Short: "List the peers that policy shows this machine",
		Long: "peers lists the other machines of this machine's networks that policy lets it see: whose they are, their addresses, and by which " +
			"path they are reached. Who is not listed may neither be reached nor reach this machine.",
		Example: "  cvlan peers\n  cvlan peers --network office --template '{{range .peers}}{{.name}} {{.path}};{{end}}'\n  sudo cvlan peers path db --watch",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return group(c, args)
			}
			return nil
		},
		RunE: o.asks(func(ctx context.Context, _ []string) error { return o.list(ctx) }),
	}
	o.networkFlag(c, "only this network, by name or identifier")
	o.flags(c, 10*time.Second, "peers.id")
	c.AddCommand(newPeersPath(env))
	return c
}

type peersPathOptions struct {
	talk
	request local.PathRequest
	watch   bool
}

// pathEvery is how often a watch asks anew.
const pathEvery = 500 * time.Millisecond

func newPeersPath(env *Env) *cobra.Command {
	o := &peersPathOptions{talk: talk{Env: env}}
	c := &cobra.Command{
		Use:   "path PEER",
		Short: "Show every way to a peer, which is used, and why",
		Long: "path shows each address at which a peer may be reached and each relay that leads to it: what is known of it, how far away it is, " +
			"and which one carries the traffic. With --watch it shows every change until ctrl-C; with --json then a line for each. It needs the " +
			"rights of an operator.",
		Example: "  sudo cvlan peers path db\n  sudo cvlan peers path db.office --watch --json",
		Args:    takes("PEER"),
	}
	c.RunE = o.talks(func(c *cobra.Command, args []string) error {
		o.request.Peer = args[0]
		return o.run(c)
	})
	f := c.Flags()
	f.StringVar(&o.request.Network, "network", "", "network of the peer, if its name alone is not enough")
	f.BoolVarP(&o.watch, "watch", "w", false, "go on, and show every change")
	o.flags(c, 10*time.Second, "candidates.address")
	return c
}

func (o *peersPathOptions) run(c *cobra.Command) error {
	if o.watch {
		defer o.IO.HoldReader()()
	}
	last := ""
	for {
		p, err := o.ask(c)
		if err != nil {
			return err
		}
		if now := outline(p); now != last {
			if last != "" && !o.out.ForScripts() {
				o.IO.Printf("")
			}
			last = now
			if err := o.write(p); err != nil {
				return err
			}
		}
		if !o.watch {
			return nil
		}
		if !pause(c.Context(), pathEvery) {
			return c.Context().Err()
		}
	}
}

func (o *peersPathOptions) ask(c *cobra.Command) (local.PeerPath, error) {
	ctx, cancel := o.timeout.within(c.Context())
	defer cancel()
	return o.client.Path(ctx, o.request)
}

func (o *peersPathOptions) write(p local.PeerPath) error {
	if o.watch && o.out.JSON {
		return o.IO.JSONLine(p)
	}
	return o.out.Write(o.IO, p, func() { o.print(p) })
}

// outline is what a watch compares: everything but what moves all the time.
func outline(p local.PeerPath) string {
	s := p.Path + p.Why + p.Preshared + p.Keepalive.String()
	for _, c := range p.Candidates {
		s += fmt.Sprint("|", c.Path, c.Relay, endpoint(c.Address), c.State, c.Chosen, c.MTU)
	}
	return s
}

func (o *peersPathOptions) print(p local.PeerPath) {
	now := o.Now()
	head := iox.Table{}
	head.Row(iox.Cell(iox.Bold, p.Peer), p.Address.String(), iox.Cell(pathStyle(p.Path), p.Path))
	head.Print(o.IO)
	t := iox.Table{Indent: "  "}
	chosen := p.Why
	if p.Since != nil {
		chosen = iox.Ago(now, *p.Since) + ", " + p.Why
	}
	t.Row("chosen", chosen)
	t.Row("preshared key", p.Preshared)
	if p.Keepalive > 0 {
		t.Row("kept open", fmt.Sprintf("every %v: %s", p.Keepalive.Round(time.Second), p.KeepaliveWhy))
	}
	t.Print(o.IO)
	if len(p.Candidates) == 0 {
		return
	}
	o.IO.Printf("")
	ways := iox.Table{Indent: "  ", Heads: []string{"", "WAY", "AT", "KNOWN AS", "STATE", "RTT", "MTU", "HEARD"}}
	for _, c := range p.Candidates {
		mark := " "
		if c.Chosen {
			mark = "*"
		}
		at := endpoint(c.Address)
		if c.Path == local.PathRelay {
			at = c.Relay
		}
		ways.Row(mark, c.Path, at, c.Kind, iox.Cell(wayStyle(c), c.State), milliseconds(c.RTT), size(c.MTU), since(now, c.Heard))
	}
	ways.Print(o.IO)
}

func pathStyle(path string) iox.Style {
	switch path {
	case local.PathDirect:
		return iox.Green
	case local.PathRelay:
		return iox.Amber
	default:
		return iox.Dim
	}
}

func wayStyle(c local.Candidate) iox.Style {
	if c.State == local.WayWorks {
		return iox.Green
	}
	return iox.Dim
}

func milliseconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func size(bytes int) string {
	if bytes == 0 {
		return ""
	}
	return strconv.Itoa(bytes)
}
