package cli

import (
	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newCARequest(s *session) *cobra.Command {
	var subject, file string
	var same bool
	c := &cobra.Command{
		Use: "request", Short: "Make a certificate request for a company's own authority",
		Long: "request makes a key for the tenant's authority and writes a certificate request (PKCS #10) for it, for a company's own authority to sign as one of a subordinate authority. The key never leaves the " +
			"controller, and nothing changes until cvlan admin ca install. A request that still waits is given again; only one for another --subject takes its place, and what is signed of the old one is worth nothing then. With --same-key the request is for the key that signs already, to have a " +
			"certificate renewed.",
		Example: "  cvlan admin ca request > cvlan.csr\n  cvlan admin ca request --subject 'CN=CloudVLAN,O=Example Ltd,C=GB' --out cvlan.csr\n  cvlan admin ca request --same-key --out cvlan.csr",
		Args:    takes(),
	}
	c.Flags().StringVar(&subject, "subject", "", "distinguished name to ask for, of CN, OU, O, L, ST and C (default: one that names the tenant)")
	c.Flags().BoolVar(&same, "same-key", false, "for the key that signs already, under the same subject")
	c.Flags().StringVar(&file, "out", "", "write to this file, which must not exist, instead of standard output")
	s.tells(c, func(w *work, _ []string) error {
		q := admin.RequestCertificateIn{InTenant: w.InTenant}
		q.Body.Subject, q.Body.SameKey = subject, same
		to := either(file, "-")
		if w.out.ForScripts() {
			to = ""
		}
		var r admin.CARequest
		if err := w.fill(to, false, func() ([]byte, error) { // which comes first: whoever waits for another's signature must not lose that by a wrong name
			out, err := admin.Call(w, w.client, admin.RequestCertificate, q)
			r = out.Body
			text := onlyPEM(r.CSR)
			if err == nil && len(text) == 0 {
				err = &iox.Error{Exit: iox.Internal, What: "get the request", Why: "the controller sent none"}
			}
			return text, err
		}); err != nil {
			return err
		}
		switch to {
		case "":
			return w.show(r, nil)
		case "-":
			return nil
		}
		s.IO.Printf("The request of %s is in %s", iox.Clean(r.Subject), file)
		s.IO.Notef("Have it signed as a subordinate authority's (CA:TRUE, pathlen 0, keyCertSign and cRLSign), then: cvlan admin ca install CHAIN.pem")
		return nil
	}, "subject")
	exclusive(c, "subject", "same-key")
	exclusive(c, "json", "template", "out")
	return c
}

func newCAInstall(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "install FILE", Short: "Install what a company's own authority has signed",
		Long: "install takes the certificate that was made of cvlan admin ca request and those above it, up to the company's root, in PEM and in any order. All of it is checked. The new key signs from then " +
			"on, and what was signed before stays good until cvlan admin ca rotate finish. Whoever knows only the company's root believes what the new key signs; nodes, relays and the controller go on " +
			"knowing each other by the root in their join keys.",
		Example: "  cvlan admin ca install chain.pem\n  cat cvlan.crt issuing.crt root.crt | cvlan admin ca install -",
		Args:    takes("FILE"),
	}, func(w *work, args []string) error {
		text, err := w.readText("the certificates", args[0], admin.MaxChainText)
		if err != nil {
			return err
		}
		q := admin.InstallChainIn{InTenant: w.InTenant}
		q.Body.Chain = string(text)
		before, err := admin.Call(w, w.client, admin.GetCA, w.InTenant)
		if err != nil {
			return err
		}
		a, err := admin.Call(w, w.client, admin.InstallChain, q)
		if err != nil {
			return err
		}
		return w.show(a.Body, func() { s.showInstalled(before.Body, a.Body) })
	}, "authorities.serial")
}

// showInstalled says by whom the authority is certified now, and, if another key signs than before, what comes next.
func (s *session) showInstalled(before, a admin.CA) {
	now := signing(a)
	if n := len(now.Cross); n > 1 {
		s.IO.Printf("The authority is under %s, fingerprint %s; its certificate %s.", iox.Clean(now.Cross[n-1].Subject), iox.Clean(now.Cross[n-1].Fingerprint), iox.Ends(s.Now(), now.Cross[0].NotAfter))
	}
	if signing(before).Serial != now.Serial {
		s.showBegun(a)
	}
}
