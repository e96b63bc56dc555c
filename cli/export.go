package cli

import (
	"bytes"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
)

func newExport(s *session) *cobra.Command {
	var output string
	var replace bool
	c := &cobra.Command{
		Use:   "export",
		Short: "Write a tenant as a file for apply",
		Long: "export writes groups, users, and networks with their policies and what admins have said of routes as a TOML file, for a repository or for another " +
			"controller. Keys and nodes are not in it: it is no backup. Applied to where it came from it changes nothing.",
		Example: "  cvlan admin export -o acme.toml\n  cvlan admin export --tenant acme | diff acme.toml -",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error { return w.export(output, replace) })
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "the file (default standard output)")
	c.Flags().BoolVar(&replace, "replace", false, "overwrite the file if there is one")
	return c
}

func (w *work) export(output string, replace bool) error {
	if output == "" || output == "-" {
		text, err := w.tenantFile()
		if err == nil {
			w.printText(string(text))
		}
		return err
	}
	if err := w.fill(output, replace, w.tenantFile); err != nil {
		return err
	}
	w.IO.Printf("wrote %s", output)
	return nil
}

// tenantFile is the tenant as apply takes it.
func (w *work) tenantFile() ([]byte, error) {
	p := w.progress(w, "reading the tenant")
	defer p.stop()
	t, err := w.describe()
	if err != nil {
		return nil, err
	}
	me, err := admin.Call(w, w.client, admin.GetWhoami, admin.Nothing{})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Write(&b, "The tenant "+either(me.Body.TenantName, w.InTenant.Tenant)+" of "+strings.Join(w.client.Addrs(), ", ")+".",
		"Change it, then: cvlan admin apply -f FILE --dry-run")
	return b.Bytes(), err
}
