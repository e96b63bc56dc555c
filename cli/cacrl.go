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
	file string
	der  bool
	all  bool
}

func newCACRL(s *session) *cobra.Command {
	o := &caCRLOptions{}
	c := &cobra.Command{
		Use: "crl", Short: "Get the revocation list",
		Long: "crl writes the list of revoked certificates (RFC 5280), made now, for gateways that keep one. It is in force for a week. Who cannot run cvlan gets the " +
			"same list from the controller without a key, at the path that --json shows.",
		Example: "  cvlan admin ca crl > crl.pem\n  cvlan admin ca crl --der --out /etc/swanctl/x509crl/cvlan.crl",
		Args:    takes(),
	}
	s.tells(c, o.run)
	f := c.Flags()
	f.StringVar(&o.file, "out", "", "write to this file, which is replaced, instead of standard output")
	f.BoolVar(&o.der, "der", false, "write DER instead of PEM")
	f.BoolVar(&o.all, "all", false, "write the lists of authorities that were replaced, too, in PEM")
	exclusive(c, "json", "template", "out")
	exclusive(c, "der", "all")
	return c
}

func (o *caCRLOptions) run(w *work, _ []string) error {
	r, err := admin.Call(w, w.client, admin.ListCRLs, w.InTenant)
	if err != nil {
		return err
	}
	if w.out.ForScripts() {
		return w.list("crls", r.Body.Items, nil)
	}
	var text string
	written, left := 0, 0
	for i, l := range r.Body.Items {
		if i > 0 && !o.all {
			left += l.Entries
			continue
		}
		text += l.PEM
		written += l.Entries
	}
	body := onlyPEM(text)
	if len(body) == 0 {
		return &iox.Error{Exit: iox.Internal, What: "get the revocation list", Why: "the controller sent none"}
	}
	if o.der {
		b, _ := pem.Decode(body)
		body = b.Bytes
		if (o.file == "" || o.file == "-") && w.IO.OutTTY {
			return &iox.Error{Exit: iox.Usage, What: "get the revocation list", Why: "DER is not for terminals", Hint: "name a file: --out FILE"}
		}
	}
	if err := w.putOut(o.file, true, body); err != nil {
		return err
	}
	if left > 0 { // such as one that was revoked while another key takes over
		w.IO.Notef("The lists of authorities that were replaced have %s more: cvlan admin ca crl --all", count(left, "certificate"))
	}
	if o.file == "" || o.file == "-" {
		return nil
	}
	if err := os.Chmod(o.file, 0o644); err != nil { // it is no secret, and the gateway's daemon may not be root
		return readFault("write", o.file, err)
	}
	newest := r.Body.Items[0]
	w.IO.Printf("The list is in %s: %s, in force until %s", o.file, count(written, "certificate"), newest.NextUpdate.UTC().Format(time.DateOnly))
	return nil
}
