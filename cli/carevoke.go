package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newCARevoke(s *session) *cobra.Command {
	var sure bool
	var reason string
	c := &cobra.Command{
		Use: "revoke SERIAL|NODE", Short: "Revoke a certificate",
		Long: "revoke takes back a device's certificate, which is named by its serial number: the revocation lists have it from now on. A node is named instead: it is deleted, which " +
			"cuts it off from all others at once and revokes its certificates. It can come back with a new join key only.",
		Example: "  cvlan admin ca revoke 4f1d1c0e5b7a49c2a8d3e6f70912ab34 --reason key-compromise\n  cvlan admin ca revoke web.office",
		Args:    takes("SERIAL|NODE"),
		RunE: func(c *cobra.Command, args []string) error {
			serial := isSerial(args[0])
			what := "Delete the node " + args[0] + ", which revokes its certificates?"
			if serial {
				what = "Revoke the certificate " + args[0] + "?"
			}
			if !sure && !s.IO.Confirm(what) {
				return &iox.Error{Exit: iox.Interrupted, What: "nothing was revoked"}
			}
			return s.do(c, func(w *work) error {
				if serial {
					return w.revoke(args[0], reason)
				}
				return w.revokeNode(args[0])
			})
		},
	}
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&reason, "reason", "", "unspecified, key-compromise, superseded or cessation-of-operation; of devices only")
	return c
}

// isSerial reports whether a word is a serial number: sixteen bytes in hexadecimal, with or without colons.
func isSerial(s string) bool {
	s = strings.ReplaceAll(s, ":", "")
	return len(s) == 32 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

func (w *work) revoke(serial, reason string) error {
	q := admin.RevokeCertificateIn{OneCertificateIn: admin.OneCertificateIn{InTenant: w.InTenant, Serial: serial}}
	q.Body.Reason = reason
	c, err := admin.Call(w, w.client, admin.RevokeCertificate, q)
	if err != nil {
		return err
	}
	w.IO.Printf("The certificate of %s is revoked (%s)", c.Body.Name, c.Body.Reason)
	w.IO.Notef("Gateways learn of it with the next revocation list that they get: cvlan admin ca crl")
	return nil
}

func (w *work) revokeNode(name string) error {
	_, err := admin.Call(w, w.client, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: admin.OneNodeIn{InTenant: w.InTenant, Node: name}})
	if err == nil {
		w.IO.Printf("%s is deleted and its certificates are revoked", name)
	}
	return err
}
