package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
)

func newCARevoke(s *session) *cobra.Command {
	var reason string
	c := s.tells(&cobra.Command{
		Use: "revoke SERIAL|NODE", Short: "Revoke a certificate",
		Long: "revoke takes back a device's certificate, which is named by its serial number: the revocation lists have it from now on. A node is named instead: it is deleted, which " +
			"cuts it off from all others at once and revokes its certificates. It can come back with a new join key only.",
		Example: "  cvlan admin ca revoke 4f1d1c0e5b7a49c2a8d3e6f70912ab34 --reason key-compromise\n  cvlan admin ca revoke web.office",
		Args:    takes("SERIAL|NODE"),
	}, func(w *work, args []string) error {
		if isSerial(args[0]) {
			return w.revoke(args[0], reason)
		}
		return w.revokeNode(args[0])
	})
	c.Flags().StringVar(&reason, "reason", "", "unspecified, key-compromise, superseded or cessation-of-operation; of devices only")
	confirmed(c, func(args []string) string {
		if isSerial(args[0]) {
			return "Revoke the certificate " + args[0] + "?"
		}
		return "Delete the node " + args[0] + ", which revokes its certificates?"
	}, "nothing was revoked", s.IO)
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
	return w.show(c.Body, func() {
		w.IO.Printf("The certificate of %s is revoked (%s)", c.Body.Name, c.Body.Reason)
		w.IO.Notef("Gateways learn of it with the next revocation list that they get: cvlan admin ca crl")
	})
}

func (w *work) revokeNode(name string) error {
	err := one(w, w.client, admin.DeleteNode, admin.ChangeNodeIn{OneNodeIn: w.node(name)})
	if p, ok := errors.AsType[*admin.Problem](err); ok && p.Code == admin.CodeNotFound {
		p.Title, p.Detail = "revoke "+quoted(name), "it is no serial number of a certificate, and no node"
		p.Hint = "see which there are: cvlan admin ca list, cvlan admin node list"
	}
	if err != nil {
		return err
	}
	return w.show(map[string]string{"deleted": name}, func() { w.IO.Printf("%s is deleted and its certificates are revoked", name) })
}
