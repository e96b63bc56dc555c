package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

type pingOptions struct {
	talk
	request  local.PingRequest
	count    int
	interval span
	direct   bool // go on until the path is direct
	relay    bool // through the relay, whatever path is in use
}

func newPing(env *Env) *cobra.Command {
	o := &pingOptions{talk: talk{Env: env}, count: 4, interval: span(time.Second), request: local.PingRequest{Size: 56}}
	c := &cobra.Command{
		Use:   "ping PEER",
		Short: "See whether a peer answers, and over which path",
		Long: "ping sends echoes through the tunnel to a peer, named by its name, name.network, address or identifier. It succeeds when at " +
			"least one came back; else it ends with exit code 7, or 8 if the network's rules forbid it. Each line says which path the echo took. " +
			"With --until-direct it goes on until one went directly, and fails if none does within the count.",
		Example: "  cvlan ping db\n  cvlan ping -c 1 --timeout 500ms db.office\n  cvlan ping --until-direct db",
		Args:    takes("PEER"),
	}
	c.RunE = o.talks(func(c *cobra.Command, args []string) error {
		o.request.Peer = args[0]
		return o.run(c)
	})
	f := c.Flags()
	f.VarP(amount{&o.count, 0, noLimit}, "count", "c", "how many echoes; 0: until ctrl-C")
	f.VarP(&o.interval, "interval", "i", "time between two")
	f.VarP(amount{&o.request.Size, 0, 65000}, "size", "s", "bytes of payload, 0 to 65000")
	f.BoolVar(&o.direct, "until-direct", false, "stop as soon as the path is direct; --count then defaults to 20")
	f.BoolVar(&o.relay, "relay", false, "go through the relay, even if the path in use is direct")
	f.StringVar(&o.request.Network, "network", "", "network of the peer, if its name alone is not enough")
	timeoutFlag(c, &o.timeout, 2*time.Second, "how long to wait for each echo, at most 1m")
	outputFlags(c, &o.out)
	return c
}

// pings is the JSON document of a run.
type pings struct {
	Schema   int          `json:"schema"`
	Sent     int          `json:"sent"`
	Received int          `json:"received"`
	Pongs    []local.Pong `json:"pongs"`
}

func (o *pingOptions) run(c *cobra.Command) error {
	if o.timeout <= 0 || time.Duration(o.timeout) > time.Minute {
		return usage(c, "--timeout: want more than 0 and at most 1m")
	}
	if o.direct && o.relay {
		return usage(c, "--until-direct and --relay contradict each other: choose one")
	}
	if o.direct && !c.Flags().Changed("count") {
		o.count = 20
	}
	if o.relay {
		o.request.Via = local.PathRelay
	}
	o.request.TimeoutMS = int(time.Duration(o.timeout) / time.Millisecond)
	quiet := o.out.ForScripts()
	all := pings{Schema: local.Schema, Pongs: []local.Pong{}}
	var lost error
	for c.Context().Err() == nil && (o.count == 0 || all.Sent < o.count) {
		if all.Sent > 0 && !pause(c.Context(), time.Duration(o.interval)) {
			break
		}
		p, err := o.echo(c.Context())
		if c.Context().Err() != nil {
			break
		}
		all.Sent++
		if err != nil {
			if !missed(err) {
				return err
			}
			lost = err
			if !quiet {
				o.IO.Printf("%s: %s", o.request.Peer, err)
			}
			continue
		}
		all.Received++
		all.Pongs = append(all.Pongs, p)
		if !quiet {
			o.IO.Printf("%s", pongLine(p))
		}
		if o.direct && p.Path == local.PathDirect {
			break
		}
	}
	stopped := c.Context().Err()
	if all.Sent == 0 {
		return stopped
	}
	if quiet {
		if err := o.out.Write(o.IO, all, nil); err != nil {
			return err
		}
	} else if all.Sent > 1 {
		o.IO.Printf("%d sent, %d received", all.Sent, all.Received)
	}
	if stopped != nil {
		return stopped
	}
	if all.Received == 0 && lost != nil {
		return silent(o.request.Peer, all.Sent, lost)
	}
	if o.direct && (all.Received == 0 || all.Pongs[all.Received-1].Path != local.PathDirect) {
		return &iox.Error{Exit: iox.Unreachable, What: "reach " + o.request.Peer + " directly", Why: fmt.Sprintf("none of %d echoes went directly", all.Received),
			Hint: "see every way that was tried: sudo cvlan peers path " + o.request.Peer + "; and what this network allows: sudo cvlan netcheck"}
	}
	return nil
}

// slack is how much longer than for an echo one waits for the daemon to say that none came.
const slack = 2 * time.Second

func (o *pingOptions) echo(ctx context.Context) (local.Pong, error) {
	ctx, cancel := (o.timeout + span(slack)).within(ctx)
	defer cancel()
	return o.client.Ping(ctx, o.request)
}

// silent is the error of a peer that never answered.
func silent(peer string, sent int, last error) error {
	e := &iox.Error{Exit: iox.Unreachable, What: "ping " + peer, Why: fmt.Sprintf("none of %d came back", sent), Hint: "see its path with: cvlan status", Err: last}
	var l *local.Error
	if errors.As(last, &l) && l.Hint != "" {
		e.Hint = l.Hint
	}
	return e
}

// missed reports whether an error means that this echo did not come back, rather than that none can be sent.
func missed(err error) bool {
	var l *local.Error
	return errors.As(err, &l) && (l.Code == local.CodeTimeout || l.Code == local.CodeUnreachable)
}

func pongLine(p local.Pong) string {
	line := fmt.Sprintf("%s (%s): %.2f ms, %s", p.Peer, p.Address, float64(p.RTT)/float64(time.Millisecond), p.Path)
	if p.Relay != "" {
		line += " " + p.Relay
	}
	if p.Endpoint != nil {
		line += " at " + p.Endpoint.String()
	}
	return line
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
