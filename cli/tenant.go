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
	return s.tells(&cobra.Command{
		Use: "create NAME", Short: "Create a tenant", Long: "create makes a tenant and its certificate authority.",
		Example: "  cvlan admin tenant create acme\n  cvlan admin tenant create acme --json",
		Args:    takes("NAME"),
	}, func(w *work, args []string) error {
		t, err := admin.Call(w, w.client, admin.CreateTenant, admin.CreateTenantIn{Body: admin.NewTenant{Name: args[0]}})
		if err != nil {
			return err
		}
		return w.show(t.Body, func() {
			s.IO.Printf("%s is made (%s)", t.Body.Name, t.Body.ID)
			s.IO.Notef("\nNext: cvlan admin api-key create --tenant %s --role owner NAME        a key for its admin", t.Body.Name)
		})
	}, "id")
}

func newTenantList(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List tenants", Long: "list shows every tenant of the controller.",
		Example: "  cvlan admin tenant list\n  cvlan admin tenant list --template '{{range .tenants}}{{.name}} {{end}}'",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListTenants, func(p admin.Page) admin.Page { return p })
		if err != nil {
			return err
		}
		return w.list("tenants", all, func() {
			t := iox.Table{Heads: []string{"TENANT", "MADE", "ID"}}
			for _, x := range all {
				t.Row(iox.Cell(iox.Bold, x.Name), iox.Ago(s.Now(), x.Created), x.ID.String())
			}
			t.Print(s.IO)
		})
	}, "tenants.id")
}
