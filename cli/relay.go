package cli

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newRelay(s *session) *cobra.Command {
	return nouns("relay", "Make and list relays",
		"A relay carries packets between nodes that have no direct path. Only a provider's key may do this.",
		"  cvlan admin relay create fra-1 --region eu\n  cvlan admin relay list",
		newRelayCreate(s), newRelayList(s), newRelayShow(s), newRelayDelete(s), newRelayUsage(s))
}

type relayCreateOptions struct {
	want    admin.NewRelay
	expires validity
	file    string
}

func newRelayCreate(s *session) *cobra.Command {
	o := &relayCreateOptions{expires: validity{span(admin.DefaultRelayTTLSeconds * time.Second)}}
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a relay and its key",
		Long: "create makes a relay and writes its key to a file that only you can read. The first machine that starts cvlan-relay with the key " +
			"is that relay; nobody else can use the key then. Nodes hear of the relay when it has started. With --node a node of the tenant, which has a " +
			"public address, becomes the tenant's relay beside what else it does; there is no key then.",
		Example: "  cvlan admin relay create fra-1 --region eu\n  cvlan admin relay create fra-1 --addr fra-1.example.com:8443 --key-out - | ssh fra-1 'umask 077; cat > relay.key'\n  cvlan admin relay create hq --node hq-server",
		Args:    takes("NAME"),
	}
	f := c.Flags()
	f.StringVar(&o.want.Region, "region", "", "where it is, for people (default: as the relay says)")
	f.StringSliceVar(&o.want.Addresses, "addr", nil, "host:port at which nodes reach it, most wanted first, 8 at most (default: as the relay says)")
	f.StringVar(&o.want.Tenant, "for-tenant", "", "serve only this tenant's nodes")
	f.StringVar(&o.want.Node, "node", "", "make this node the relay of its tenant")
	f.Var(&o.expires, "expires", "how long the key can be used; 0s: for ever")
	f.StringVar(&o.file, "key-out", "", "write the key to this file, which must not exist, with mode 0600; -: to standard output (default: NAME.relay.key)")
	return s.tells(c, o.run, "id")
}

func (o *relayCreateOptions) run(w *work, args []string) error {
	if o.want.Name = args[0]; o.want.Node != "" {
		return o.ofNode(w)
	}
	o.want.TTLSeconds = o.expires.seconds()
	path := either(o.file, iox.Clean(args[0])+".relay.key")
	shown := path == "-"
	if shown { // by print, which may be asked for JSON
		path = ""
	}
	var r admin.CreatedRelay
	if err := w.fill(path, false, func() ([]byte, error) {
		out, err := admin.Call(w, w.client, admin.CreateRelay, admin.CreateRelayIn{Body: o.want})
		r = out.Body
		return keyLine(r.Key), err
	}); err != nil {
		return err
	}
	key := r.Key
	if !shown {
		r.Key = ""
	}
	return w.show(r, func() {
		if shown {
			w.IO.Out.Write(keyLine(key))
		} else {
			w.IO.Printf("%s is made (%s); its key is in %s", r.Name, r.ID, path)
		}
		w.IO.Notef("\nNext, on the relay's machine, %s: cvlan-relay serve --key-file FILE", within(w.Now(), r.Expires))
	})
}

// ofNode makes a node a relay.
func (o *relayCreateOptions) ofNode(w *work) error {
	o.want.Tenant = cmp.Or(o.want.Tenant, w.Tenant)
	r, err := admin.Call(w, w.client, admin.CreateRelay, admin.CreateRelayIn{Body: o.want})
	if err != nil {
		return err
	}
	return w.show(r.Body.Relay, func() {
		w.IO.Printf("%s is made (%s): node %s becomes the relay", r.Body.Name, r.Body.ID, iox.Clean(o.want.Node))
		w.IO.Notef("\nIts relay port must be reachable from outside, by UDP and TCP: 8443, unless its cvland has another --relay-port")
	})
}

func within(now, t time.Time) string {
	if t.IsZero() {
		return "whenever you like"
	}
	return "within " + iox.Span(t.Sub(now))
}

func newRelayList(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List relays", Long: "list shows the relays that there are, and how they are now.",
		Example: "  cvlan admin relay list\n  cvlan admin relay list --template '{{range .relays}}{{.name}} {{end}}'",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListRelays, func(p admin.Page) admin.Page { return p })
		if err != nil {
			return err
		}
		return w.list("relays", all, func() { s.printRelays(all) })
	}, "relays.id")
}

func (s *session) printRelays(all []admin.Relay) {
	if len(all) == 0 {
		s.IO.Notef("There is no relay. Make one with: cvlan admin relay create NAME")
		return
	}
	t := iox.Table{Heads: []string{"RELAY", "REGION", "STATE", "CLIENTS", "ADDRESSES", "FOR", "ID"}}
	for _, r := range all {
		t.Row(iox.Cell(iox.Bold, r.Name), r.Region, relayState(r), strconv.Itoa(r.Clients), strings.Join(r.Addresses, ", "), servedBy(r), r.ID.String())
	}
	t.Print(s.IO)
}

func relayState(r admin.Relay) any {
	switch r.State {
	case "online":
		return iox.Cell(iox.Green, r.State)
	case "draining", "new":
		return iox.Cell(iox.Amber, r.State)
	default:
		return iox.Cell(iox.Dim, r.State)
	}
}

func servedBy(r admin.Relay) string {
	if r.Tenant.IsZero() {
		return "all tenants"
	}
	return r.Tenant.String()
}

func newRelayShow(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "show RELAY", Short: "Show a relay", Long: "show shows all that the controller knows of a relay.",
		Example: "  cvlan admin relay show fra-1\n  cvlan admin relay show fra-1 --json",
		Args:    takes("RELAY"),
	}, func(w *work, args []string) error {
		r, err := admin.Call(w, w.client, admin.GetRelay, admin.OneRelayIn{Relay: args[0]})
		if err != nil {
			return err
		}
		return w.show(r.Body, func() { s.showRelay(r.Body) })
	}, "id")
}

func (s *session) showRelay(r admin.Relay) {
	now := s.Now()
	t := iox.Table{}
	t.Row("relay", r.Name+" ("+r.ID.String()+")")
	t.Row("region", r.Region)
	t.Row("state", relayState(r))
	t.Row("clients", strconv.Itoa(r.Clients))
	t.Row("addresses", strings.Join(r.Addresses, ", "))
	if r.STUNPort != 0 {
		t.Row("STUN also on", strconv.Itoa(r.STUNPort))
	}
	t.Row("serves", servedBy(r))
	if !r.Node.IsZero() {
		t.Row("is node", r.Node.String())
	}
	t.Row("runs", r.Software)
	if !r.LastSeen.IsZero() { // of one that is here the controller keeps no such time
		t.Row("last seen", iox.Ago(now, r.LastSeen))
	}
	if !r.CertUntil.IsZero() {
		t.Row("certificate", iox.Ends(now, r.CertUntil))
	}
	if r.State == "new" && r.Node.IsZero() {
		t.Row("key", iox.Ends(now, r.Expires))
	}
	t.Row("made", strings.TrimSpace(iox.Ago(now, r.Created)+" by "+r.CreatedBy))
	t.Print(s.IO)
}

func newRelayDelete(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "delete RELAY", Short: "Delete a relay",
		Long: "delete makes all nodes forget the relay and ends its session. To move its clients without a break first, drain it: cvlan-relay drain.\n" +
			"To come back it needs a new key.",
		Example: "  cvlan admin relay delete fra-1\n  cvlan admin relay delete fra-1 --yes",
		Args:    takes("RELAY"),
	}, "Delete the relay", "deleted", func(w *work, name string) error {
		return one(w, w.client, admin.DeleteRelay, admin.OneRelayIn{Relay: name})
	})
}

func newRelayUsage(s *session) *cobra.Command {
	days := 31
	c := &cobra.Command{
		Use: "usage", Short: "Show what relays have carried", Long: "usage shows, for each tenant and UTC day, how many bytes relays have carried. It lags behind by a minute or two.",
		Example: "  cvlan admin relay usage\n  cvlan admin relay usage --days 365 --json",
		Args:    takes(),
	}
	c.Flags().Var(amount{&days, 1, 3660}, "days", "how many days, today included")
	return s.tells(c, func(w *work, _ []string) error {
		u, err := admin.Call(w, w.client, admin.ListRelayUsage, admin.ListRelayUsageIn{Days: days})
		if err != nil {
			return err
		}
		return w.list("usage", u.Body.Items, func() { s.printUsage(u.Body.Items) })
	})
}

func (s *session) printUsage(all []admin.RelayUsage) {
	if len(all) == 0 {
		s.IO.Notef("Relays have carried nothing in that time.")
		return
	}
	t := iox.Table{Heads: []string{"DAY", "TENANT", "BYTES"}}
	for _, u := range all {
		name := u.TenantName
		if name == "" {
			name = u.Tenant.String()
		}
		t.Row(u.Day, name, strconv.FormatUint(u.Bytes, 10))
	}
	t.Print(s.IO)
}
