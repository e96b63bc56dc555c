package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/cmd/internal/verbs"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/relay"
	"github.com/cvlan/cvlan/relay/session"
)

// errAway is why a command ends that finds no relay.
var errAway = errors.New("no relay runs with this folder, or you may not open it")

// ask sends a request to the relay that runs with a folder, and reads its answer into v.
func ask(ctx context.Context, data, method, path string, v any) error {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", filepath.Join(data, relay.SocketName))
	}}}
	defer client.CloseIdleConnections()
	q, err := http.NewRequestWithContext(ctx, method, "http://relay"+path, nil)
	if err != nil {
		return err
	}
	a, err := client.Do(q)
	if err != nil {
		return fmt.Errorf("ask the relay: %w (%w); name its folder with --data-dir", errAway, errors.Unwrap(err))
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, 64<<20))
	switch {
	case err != nil:
		return fmt.Errorf("ask the relay: %w", err)
	case a.StatusCode != http.StatusOK:
		return verbs.Input(fmt.Errorf("ask the relay: %s", strings.TrimSpace(string(b))))
	}
	return json.Unmarshal(b, v)
}

func statsCommand() *cobra.Command {
	var data string
	var raw bool
	c := &cobra.Command{
		Use: "stats", Short: "Show what the relay is doing", Args: verbs.None,
		Long:    "stats shows what the relay that runs on this machine is doing, and has done since it started.",
		Example: "  cvlan-relay stats\n  cvlan-relay stats --json",
		RunE: func(c *cobra.Command, _ []string) error {
			var s relay.Stats
			if err := ask(c.Context(), data, http.MethodGet, "/stats", &s); err != nil {
				return err
			}
			if raw {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(s)
			}
			return show(c.OutOrStdout(), s, time.Now())
		},
	}
	c.Flags().StringVar(&data, "data-dir", defaultData, "the relay's folder")
	c.Flags().BoolVar(&raw, "json", false, "as JSON")
	return c
}

func show(out io.Writer, s relay.Stats, now time.Time) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	if s.Relay.IsZero() {
		row("relay", "has not joined yet, version %s", s.Version)
	} else {
		row("relay", "%s, version %s", s.Relay, s.Version)
	}
	row("up", "%s", whole(now.Sub(s.Started)))
	row("addresses", "%s", strings.Join(s.Addresses, ", "))
	if !s.CertUntil.IsZero() {
		row("certificate", "%s", until(s.CertUntil, now))
	}
	row("controller", "%s", talks(&s.Controller, now))
	if c := s.Controller.Clock; c != 0 {
		way := "behind"
		if c < 0 {
			way = "ahead of"
		}
		row("clock", "%s %s the controller's: set it, certificates are judged by it", words.Span(c.Abs()), way)
	}
	if s.Unkept != nil {
		row("disk", "lacks what a restart would need, for %s: %s", whole(now.Sub(s.Unkept.Since)), s.Unkept.Problem)
	}
	if s.Draining {
		row("draining", "yes")
	}
	row("clients", "%d (%s)", s.Clients, counts(s.ByWay))
	row("channels", "%d", s.Channels)
	row("serves", "%s; turns away %s", words.Count(s.Admits.Tenants, "tenant"), words.Count(s.Admits.Removed, "removed node"))
	for _, n := range slices.Sorted(maps.Keys(s.Neighbours)) {
		row("neighbour", "%s at %s", n, strings.Join(s.Neighbours[n], ", "))
	}
	for _, n := range s.Region.Relays {
		state := "down"
		if n.Up {
			state = "up"
		}
		row("region", "%s is %s; %s to there, %d from there", cmp.Or(n.Name, n.Relay.String()), state, words.Count(n.Sending, "channel"), n.Coming)
	}
	if r := s.Region; len(r.Relays) > 0 {
		row("region", "sent on %s, took %d", words.Count(r.Sent.Packets, "packet"), r.Came.Packets)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Tenants)) {
		row("relayed", "%s: %s in %s", id, words.Bytes(s.Tenants[id].Bytes), words.Count(s.Tenants[id].Packets, "packet"))
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Frames)) {
		if n := s.Frames[reason]; n > 0 && reason != "sent" {
			row("dropped", "%s: %d", reason, n)
		}
	}
	return t.Flush()
}

// until says when a certificate ends, or that it has.
func until(end, now time.Time) string {
	day := end.UTC().Format(time.DateOnly)
	if now.After(end) {
		return "ended " + day + ": nodes do not believe it any more; it is renewed when the controller answers"
	}
	return "ends " + day
}

// whole writes a duration by the second, and a long one by the day.
func whole(d time.Duration) string {
	if d < 48*time.Hour {
		return d.Round(time.Second).String()
	}
	return words.Span(d)
}

// talks says how the relay stands with its controller.
func talks(s *session.State, now time.Time) string {
	age := whole(now.Sub(s.Since))
	switch {
	case s.Phase == session.Connected:
		return fmt.Sprintf("%s over %s, for %s", s.Address, s.Transport, age)
	case s.Phase == session.Silent:
		return fmt.Sprintf("%s over %s, has not answered for %s", s.Address, s.Transport, age)
	case s.Phase == session.Deleted:
		return fmt.Sprintf("turned this relay away %s ago: %s", age, s.Problem)
	case s.Problem != "":
		return fmt.Sprintf("away for %s: %s", age, s.Problem)
	}
	return fmt.Sprintf("away for %s", age)
}

func counts(m map[string]int) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if m[k] > 0 {
			all = append(all, fmt.Sprintf("%s %d", k, m[k]))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func drainCommand() *cobra.Command {
	var data string
	var wait time.Duration
	c := &cobra.Command{
		Use: "drain", Short: "Move the relay's clients elsewhere, without breaking a flow", Args: verbs.None,
		Long: "drain tells the controller and all clients that the relay is about to stop, and waits until they have gone to another. Flows go on\n" +
			"meanwhile. The relay lets nobody new in from then on; stop it when drain has returned, or start it again to undo it.",
		Example: "  cvlan-relay drain && systemctl stop cvlan-relay\n  cvlan-relay drain --timeout 5m",
		RunE: func(c *cobra.Command, _ []string) error {
			var d relay.Drained
			if err := ask(c.Context(), data, http.MethodPost, "/drain?timeout="+url.QueryEscape(wait.String()), &d); err != nil {
				return err
			}
			if d.Left > 0 {
				return verbs.Input(fmt.Errorf("%d clients have not gone within %v; they may have no other relay: `cvlan admin relay list` shows which there are", d.Left, wait))
			}
			fmt.Fprintln(c.OutOrStdout(), "all clients have gone; the relay can be stopped")
			return nil
		},
	}
	c.Flags().StringVar(&data, "data-dir", defaultData, "the relay's folder")
	c.Flags().DurationVar(&wait, "timeout", time.Minute, "how long to wait for the clients, an hour at most")
	return c
}
