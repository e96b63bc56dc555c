package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newAPIKey(s *session) *cobra.Command {
	return nouns("api-key", "Make and revoke keys for people and scripts",
		"An API key opens the admin API of one tenant. It may do what its roles say: "+strings.Join(admin.RoleNames()[:4], ", ")+".",
		"  cvlan admin api-key create ci --role operator --out ci.key\n  cvlan admin api-key list",
		newAPIKeyCreate(s), newAPIKeyList(s), newAPIKeyRevoke(s))
}

type apiKeyCreateOptions struct {
	want    admin.NewAPIKey
	expires validity
	file    string
	token   bool
}

func newAPIKeyCreate(s *session) *cobra.Command {
	o := &apiKeyCreateOptions{}
	c := &cobra.Command{
		Use:   "create NAME --role ROLE --out FILE",
		Short: "Create an API key and write it to a file",
		Long: "create writes the key to a file that only you can read; cvlan admin login takes it. With --token it is in the form that " +
			"programs send: Authorization: Bearer cvk_…. The key may do no more than yours. With --user it acts for a user: it gives nodes to that user only, " +
			"and gives and takes only tags that the user owns by the policy's tagOwners.",
		Example: "  cvlan admin api-key create alice --role admin --out alice.key\n  cvlan admin api-key create ci --role nodes:read --expires 90d --token --out ci.token\n" +
			"  cvlan admin api-key create bob-laptop --role nodes:read --role nodes:assign --user bob@example.com --out bob.key",
		Args: takes("NAME"),
	}
	f := c.Flags()
	f.StringArrayVar(&o.want.Scopes, "role", nil, "role or scope; may be repeated")
	f.StringVar(&o.want.User, "user", "", "user for whom it acts, by login")
	f.Var(&o.expires, "expires", "how long it is valid; 0s: for ever")
	f.StringVar(&o.file, "out", "", "write the key to this file, which must not exist, with mode 0600")
	f.BoolVar(&o.token, "token", false, "write it as a bearer token")
	needs(c, "role", "out")
	return s.tells(c, o.run, "id")
}

func (o *apiKeyCreateOptions) run(w *work, args []string) error {
	o.want.Name, o.want.TTLSeconds = args[0], o.expires.seconds()
	var k admin.CreatedAPIKey
	if err := w.fill(o.file, false, func() ([]byte, error) {
		out, err := admin.Call(w, w.client, admin.CreateAPIKey, admin.CreateAPIKeyIn{InTenant: w.InTenant, Body: o.want})
		if k = out.Body; o.token {
			return []byte(k.Token + "\n"), err
		}
		return []byte(k.Ticket + "\n"), err
	}); err != nil {
		return err
	}
	return w.show(k.APIKey, func() { w.IO.Printf("%s is in %s", k.ID, o.file) })
}

func newAPIKeyList(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List API keys", Long: "list shows the tenant's API keys, without their secrets, which nobody has any more.",
		Example: "  cvlan admin api-key list\n  cvlan admin api-key list --json",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListAPIKeys, func(p admin.Page) admin.ListAPIKeysIn { return admin.ListAPIKeysIn{InTenant: w.InTenant, Page: p} })
		if err != nil {
			return err
		}
		return w.list("keys", all, func() {
			if len(all) == 0 {
				s.IO.Notef("The tenant has no API key of its own.")
				return
			}
			t := iox.Table{Heads: []string{"KEY", "NAME", "STATE", "MAY", "FOR", "ENDS"}}
			for _, k := range all {
				t.Row(k.ID.String(), iox.Cell(iox.Bold, k.Name), k.State, strings.Join(k.Scopes, ", "), k.User, iox.Until(s.Now(), k.Expires))
			}
			t.Print(s.IO)
		})
	}, "keys.id")
}

func newAPIKeyRevoke(s *session) *cobra.Command {
	return s.ends(&cobra.Command{
		Use: "revoke KEY", Short: "Revoke an API key", Long: "revoke makes an API key worthless at once.",
		Example: "  cvlan admin api-key revoke k0c9k2v4m8q1xz\n  cvlan admin api-key revoke k0c9k2v4m8q1xz --tenant acme",
		Args:    takes("KEY"),
	}, "", "revoked", func(w *work, name string) error {
		return one(w, w.client, admin.RevokeAPIKey, admin.OneAPIKeyIn{InTenant: w.InTenant, Key: name})
	})
}
