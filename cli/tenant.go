package cli

import (
	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newTenant(s *session) *cobra.Command {
	return nouns("tenant", "Make and list tenants",
		"A tenant owns networks, nodes and keys, and sees nothing of other tenants. Only a provider's key may do this.",
		"  cvlan admin tenant list\n  cvlan admin tenant create acme",
		newTenantCreate(s), newTenantList(s))
}

func newTenantCreate(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a tenant", Long: "create makes a tenant and its certificate authority.",
		Example: "  cvlan admin tenant create acme\n  cvlan admin tenant create acme --json",
		Args:    takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return s.do(c, func(w *work) error {
				t, err := admin.Call(w, w.client, admin.CreateTenant, admin.CreateTenantIn{Body: admin.NewTenant{Name: args[0]}})
				if err != nil {
					return err
				}
				doc := struct {
					Schema int `json:"schema"`
					admin.Tenant
				}{adminSchema, t.Body}
				return out.Write(s.IO, doc, func() {
					s.IO.Printf("%s is made (%s)", t.Body.Name, t.Body.ID)
					s.IO.Notef("\nNext: cvlan admin api-key create --tenant %s --role owner NAME        a key for its admin", t.Body.Name)
				})
			})
		},
	}
	outputFlags(c, &out)
	return c
}

func newTenantList(s *session) *cobra.Command {
	var out iox.Output
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tenants", Long: "list shows every tenant of the controller.",
		Example: "  cvlan admin tenant list\n  cvlan admin tenant list --template '{{range .tenants}}{{.name}} {{end}}'",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				all, err := collect(func(p admin.Page) (admin.List[admin.Tenant], error) {
					l, err := admin.Call(w, w.client, admin.ListTenants, p)
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema  int            `json:"schema"`
					Tenants []admin.Tenant `json:"tenants"`
				}{adminSchema, all}
				return out.Write(s.IO, doc, func() {
					t := iox.Table{Heads: []string{"TENANT", "MADE", "ID"}}
					for _, x := range all {
						t.Row(iox.Cell(iox.Bold, x.Name), iox.Ago(s.Now(), x.Created), x.ID.String())
					}
					t.Print(s.IO)
				})
			})
		},
	}
	outputFlags(c, &out)
	return c
}
