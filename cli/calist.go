package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newCAList(s *session) *cobra.Command {
	var nodes bool
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List certificates", Long: "list shows the certificates that have not ended: those of devices, and with --nodes those of nodes, too.",
		Example: "  cvlan admin ca list\n  cvlan admin ca list --nodes --json",
		Args:    takes(),
	}
	c.Flags().BoolVar(&nodes, "nodes", false, "show those of nodes, too")
	return s.tells(c, func(w *work, _ []string) error {
		all, err := everyOf(w, admin.ListCertificates, func(p admin.Page) admin.ListCertificatesIn {
			return admin.ListCertificatesIn{InTenant: w.InTenant, Page: p, Nodes: nodes}
		})
		if err != nil {
			return err
		}
		return w.list("certificates", all, func() { s.printCertificates(all) })
	}, "certificates.serial")
}

func (s *session) printCertificates(all []admin.Certificate) {
	if len(all) == 0 {
		s.IO.Notef("No device has a certificate. Issue one with: cvlan admin ca issue NAME --csr FILE")
		return
	}
	t := iox.Table{Heads: []string{"FOR", "STATE", "ENDS", "NAMES", "SERIAL"}}
	for _, c := range all {
		holder := c.Name
		if !c.Node.IsZero() {
			holder = c.Node.String()
		}
		t.Row(iox.Cell(iox.Bold, holder), certificateState(c.State), iox.Until(s.Now(), c.NotAfter), strings.Join(append(append(c.DNS, c.IP...), c.Email...), ", "), c.Serial)
	}
	t.Print(s.IO)
}

func certificateState(state string) any {
	switch state {
	case "valid":
		return iox.Cell(iox.Green, state)
	case "revoked":
		return iox.Cell(iox.Amber, state)
	}
	return iox.Cell(iox.Dim, state)
}
