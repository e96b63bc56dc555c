package cli

import (
	"errors"
	"os"
	"strings"
	"time"

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
	*session
	want    admin.NewAPIKey
	expires span
	file    string
	token   bool
}

func newAPIKeyCreate(s *session) *cobra.Command {
	o := &apiKeyCreateOptions{session: s}
	c := &cobra.Command{
		Use:   "create NAME --role ROLE --out FILE",
		Short: "Create an API key and write it to a file",
		Long: "create writes the key to a file that only you can read; cvlan admin login takes it. With --token it is in the form that " +
			"programs send: Authorization: Bearer cvk_…. The key may do no more than yours.",
		Example: "  cvlan admin api-key create alice --role admin --out alice.key\n  cvlan admin api-key create ci --role nodes:read --expires 90d --token --out ci.token",
		Args:    takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			o.want.Name = args[0]
			switch {
			case len(o.want.Scopes) == 0:
				return usage(c, "--role is missing")
			case o.file == "":
				return usage(c, "--out is missing; keys are not printed")
			}
			return s.do(c, o.run)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.want.Scopes, "role", nil, "role or scope; may be repeated")
	f.Var(&o.expires, "expires", "how long it is valid; 0s: for ever")
	f.StringVar(&o.file, "out", "", "write the key to this file, which must not exist, with mode 0600")
	f.BoolVar(&o.token, "token", false, "write it as a bearer token")
	return c
}

func (o *apiKeyCreateOptions) run(w *work) error {
	seconds := int64(time.Duration(o.expires) / time.Second)
	o.want.TTLSeconds = &seconds
	f, err := create(o.file)
	if err != nil {
		return err
	}
	defer f.Close()
	k, err := admin.Call(w, w.client, admin.CreateAPIKey, admin.CreateAPIKeyIn{InTenant: w.InTenant, Body: o.want})
	if err == nil {
		text := k.Body.Ticket
		if o.token {
			text = k.Body.Token
		}
		_, err = f.WriteString(text + "\n")
		err = errors.Join(err, f.Sync())
	}
	if err != nil {
		os.Remove(o.file)
		return err
	}
	o.IO.Printf("%s is in %s", k.Body.ID, o.file)
	return nil
}

func newAPIKeyList(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List API keys", Long: "list shows the tenant's API keys, without their secrets, which nobody has any more.",
		Example: "  cvlan admin api-key list\n  cvlan admin api-key list --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				all, err := collect(func(p admin.Page) (admin.List[admin.APIKey], error) {
					l, err := admin.Call(w, w.client, admin.ListAPIKeys, admin.ListAPIKeysIn{InTenant: w.InTenant, Page: p})
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema int            `json:"schema"`
					Keys   []admin.APIKey `json:"keys"`
				}{adminSchema, all}
				return out.Write(s.IO, doc, func() {
					if len(all) == 0 {
						s.IO.Notef("The tenant has no API key of its own.")
						return
					}
					t := iox.Table{Heads: []string{"KEY", "NAME", "STATE", "MAY", "ENDS"}}
					for _, k := range all {
						t.Row(k.ID.String(), iox.Cell(iox.Bold, k.Name), k.State, strings.Join(k.Scopes, ", "), iox.Until(s.Now(), k.Expires))
					}
					t.Print(s.IO)
				})
			})
		},
	}
	outputFlags(c, &out)
	return c
}

func newAPIKeyRevoke(s *session) *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY", Short: "Revoke an API key", Long: "revoke makes an API key worthless at once.",
		Example: "  cvlan admin api-key revoke k0c9k2v4m8q1xz\n  cvlan admin api-key revoke k0c9k2v4m8q1xz --tenant acme",
		Args:    takes("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
				_, err := admin.Call(w, w.client, admin.RevokeAPIKey, admin.OneAPIKeyIn{InTenant: w.InTenant, Key: args[0]})
				if err == nil {
					s.IO.Printf("%s is revoked", args[0])
				}
				return err
			})
		},
	}
}
