package cli

import (
	"encoding/pem"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

type caCRLOptions struct {
	*session
	file string
	der  bool
	all  bool
	out  iox.Output
}

func newCACRL(s *session) *cobra.Command {
	o := &caCRLOptions{session: s}
	c := &cobra.Command{
		Use: "crl", Short: "Get the revocation list",
		Long: "crl writes the list of revoked certificates (RFC 5280), made now, for gateways that keep one. It is in force for a week. Who cannot run cvlan gets the " +
			"same list from the controller without a key, at the path that --json shows.",
		Example: "  cvlan admin ca crl > crl.pem\n  cvlan admin ca crl --der --out /etc/swanctl/x509crl/cvlan.crl",
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return s.do(c, o.run) },
	}
	f := c.Flags()
	f.StringVar(&o.file, "out", "", "write to this file, which is replaced, instead of standard output")
	f.BoolVar(&o.der, "der", false, "write DER instead of PEM")
	f.BoolVar(&o.all, "all", false, "write the lists of authorities that were replaced, too, in PEM")
	outputFlags(c, &o.out)
	exclusive(c, "json", "template", "out")
	exclusive(c, "der", "all")
	return c
}

func (o *caCRLOptions) run(w *work) error {
	r, err := admin.Call(w, w.client, admin.ListCRLs, w.InTenant)
	if err != nil {
		return err
	}
	if o.out.JSON || o.out.Template != "" {
		doc := struct {
			Schema int         `json:"schema"`
			CRLs   []admin.CRL `json:"crls"`
		}{adminSchema, r.Body.Items}
		return o.out.Write(o.IO, doc, func() {})
	}
	var text string
	for i, l := range r.Body.Items {
		if i == 0 || o.all {
			text += l.PEM
		}
	}
	body := onlyPEM(text)
	if o.der {
		b, _ := pem.Decode(body)
		if b == nil {
			return &iox.Error{Exit: iox.Internal, What: "get the revocation list", Why: "the controller sent none"}
		}
		body = b.Bytes
		if o.file == "" && o.IO.OutTTY {
			return &iox.Error{Exit: iox.Usage, What: "get the revocation list", Why: "DER is not for terminals", Hint: "name a file: --out FILE"}
		}
	}
	if o.file == "" {
		_, err := o.IO.Out.Write(body)
		return err
	}
	return o.write(body, r.Body.Items)
}

func (o *caCRLOptions) write(body []byte, lists []admin.CRL) error {
	f, err := openOut(o.file, true)
	if err != nil {
		return err
	}
	if err := f.write(body); err != nil {
		f.discard()
		return err
	}
	if err := os.Chmod(o.file, 0o644); err != nil { // it is no secret, and the gateway's daemon may not be root
		return readFault("write", o.file, err)
	}
	o.IO.Printf("The list is in %s: %s, in force until %s", o.file, several(lists[0].Entries, "certificate"), lists[0].NextUpdate.UTC().Format(time.DateOnly))
	return nil
}
