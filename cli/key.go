package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newKey(s *session) *cobra.Command {
	return nouns("key", "Make and revoke join keys",
		"A join key admits machines to a network. It is shown once, when it is made, and is good for one machine and one hour unless said otherwise.",
		"  cvlan admin key create --network office --out office.key\n  cvlan admin key list",
		newKeyCreate(s), newKeyList(s), newKeyRevoke(s))
}

type keyCreateOptions struct {
	want    admin.NewJoinKey
	uses    int
	expires validity
	file    string
}

func newKeyCreate(s *session) *cobra.Command {
	o := &keyCreateOptions{uses: admin.DefaultUses, expires: validity{span(admin.DefaultTTLSeconds * time.Second)}}
	c := &cobra.Command{
		Use:   "create --network NETWORK",
		Short: "Create a join key and print it",
		Long: "create prints the key alone on standard output, so that it can be piped to the machine that joins, or writes it to a file " +
			"that only you can read. Whoever has the key can join until it is used up, expired or revoked. A node belongs to the key's --user for as long as it is a node; " +
			"while it has a tag, policy knows it by its tags instead.",
		Example: "  cvlan admin key create --network office | ssh web sudo cvlan up --key-file -\n" +
			"  cvlan admin key create --network plant --uses 10 --expires 7d --approve --out plant.key\n" +
			"  cvlan admin key create --network office --user alice@example.com --out alice.key",
		Args: takes(),
	}
	f := c.Flags()
	f.StringVar(&o.want.Network, "network", "", "network to join, by name or identifier")
	f.Var(amount{&o.uses, 0, admin.MaxUses}, "uses", "how many machines it admits; 0: any number")
	f.Var(&o.expires, "expires", "how long it is valid; 0s: for ever")
	f.BoolVar(&o.want.Ephemeral, "ephemeral", false, "its nodes go 30 minutes after they went offline")
	f.BoolVar(&o.want.Approve, "approve", false, "its nodes wait until an admin approves them")
	f.StringVar(&o.want.User, "user", "", "user whose its nodes are, by login")
	f.StringArrayVar(&o.want.Tags, "tag", nil, "tag that its nodes carry; may be repeated")
	f.StringVar(&o.file, "out", "", "write the key to this file, which must not exist, with mode 0600")
	needs(c, "network")
	return s.tells(c, o.run)
}

func (o *keyCreateOptions) run(w *work, _ []string) error {
	o.want.Uses, o.want.TTLSeconds = &o.uses, o.expires.seconds()
	var k admin.CreatedJoinKey
	if err := w.fill(o.file, false, func() ([]byte, error) {
		out, err := admin.Call(w, w.client, admin.CreateJoinKey, admin.CreateJoinKeyIn{InTenant: w.InTenant, Body: o.want})
		k = out.Body
		return keyLine(k.Key), err
	}); err != nil {
		return err
	}
	w.noteUnknown(k.Unknown)
	if o.file == "" {
		return w.show(k, func() {
			w.IO.Out.Write(keyLine(k.Key))
			w.IO.Notef("It admits %s to %s, %s. On the new machine: sudo cvlan up --key-file FILE", machines(k.Uses), k.NetworkName, ends(w.Now(), k.Expires))
		})
	}
	w.IO.Notef("%s admits %s to %s, %s", o.file, machines(k.Uses), k.NetworkName, ends(w.Now(), k.Expires))
	doc := struct {
		admin.JoinKey
		Unknown []string `json:"unknown_tags,omitempty"`
	}{k.JoinKey, k.Unknown}
	return w.show(doc, func() {})
}

func machines(uses int) string {
	switch uses {
	case 0:
		return "any number of machines"
	case 1:
		return "one machine"
	default:
		return strconv.Itoa(uses) + " machines"
	}
}

func ends(now, t time.Time) string {
	if t.IsZero() {
		return "for ever"
	}
	return "for " + iox.Span(t.Sub(now))
}

func newKeyList(s *session) *cobra.Command {
	var network string
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List join keys",
		Long:    "list shows the join keys that there are, without their secrets, which nobody has any more.",
		Example: "  cvlan admin key list\n  cvlan admin key list --network office --json",
		Args:    takes(),
	}
	c.Flags().StringVar(&network, "network", "", "only those of this network")
	return s.tells(c, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListJoinKeys, func(p admin.Page) admin.ListJoinKeysIn {
			return admin.ListJoinKeysIn{InTenant: w.InTenant, Page: p, Network: network}
		})
		if err != nil {
			return err
		}
		return w.list("keys", all, func() { s.printKeys(all) })
	}, "keys.id")
}

func (s *session) printKeys(all []admin.JoinKey) {
	if len(all) == 0 {
		s.IO.Notef("There is no join key. Make one with: cvlan admin key create --network NAME")
		return
	}
	t := iox.Table{Heads: []string{"KEY", "NETWORK", "STATE", "USED", "ENDS", "FOR ITS NODES"}}
	for _, k := range all {
		used := strconv.Itoa(k.Used)
		if k.Uses > 0 {
			used += " of " + strconv.Itoa(k.Uses)
		}
		style := iox.Dim
		if k.State == "valid" {
			style = iox.Green
		}
		t.Row(k.ID.String(), k.NetworkName, iox.Cell(style, k.State), used, iox.Until(s.Now(), k.Expires), traits(k))
	}
	t.Print(s.IO)
}

// traits says what nodes get from their key.
func traits(k admin.JoinKey) string {
	var all []string
	if k.Ephemeral {
		all = append(all, "ephemeral")
	}
	if k.Approve {
		all = append(all, "approval")
	}
	if k.User != "" {
		all = append(all, k.User)
	}
	return strings.Join(append(all, k.Tags...), ", ")
}

func newKeyRevoke(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "revoke KEY", Short: "Revoke a join key", Long: "revoke makes a join key worthless. Nodes that it admitted stay; see cvlan admin node delete.",
		Example: "  cvlan admin key revoke j0c9k2v4m8q1xz\n  cvlan admin key list --template '{{range .keys}}{{.id}} {{end}}' | xargs -n 1 cvlan admin key revoke",
		Args:    takes("KEY"),
	}, "", "revoked", func(w *work, name string) error {
		return one(w, w.client, admin.RevokeJoinKey, admin.OneJoinKeyIn{InTenant: w.InTenant, Key: name})
	})
}
