package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

type caIssueOptions struct {
	want  admin.NewCertificate
	days  int
	csr   string
	file  string
	chain string
}

func newCAIssue(s *session) *cobra.Command {
	o := &caIssueOptions{days: admin.DefaultCertificateDays}
	c := &cobra.Command{
		Use: "issue NAME --csr FILE", Short: "Issue a certificate for a device without an agent",
		Long: "issue signs a certificate request (PKCS #10, PEM) for an IPsec gateway, a phone or a router. The device's key never leaves it, and of the request only " +
			"that key counts: the names are those given here. The certificate is good for servers, clients and IKE, and makes its holder no node.",
		Example: "  cvlan admin ca issue gate-1 --csr gate-1.csr --dns gate-1.example.com --ip 192.0.2.1 --days 365\n" +
			"  openssl req -new -key phone.key -subj /CN=phone | cvlan admin ca issue phone --csr - --email alice@example.com",
		Args: takes("NAME"),
		PreRunE: func(c *cobra.Command, args []string) error {
			switch {
			case o.csr == "":
				return usage(c, "--csr is missing; make a request with: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "+quotedName(args[0])+".key -out "+quotedName(args[0])+".csr")
			case len(o.want.DNS)+len(o.want.IP)+len(o.want.Email) == 0:
				return usage(c, "a name that peers know the device by is missing: --dns, --ip or --email")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&o.csr, "csr", "", "file of the certificate request, PEM; -: standard input")
	f.StringSliceVar(&o.want.DNS, "dns", nil, "DNS name; may be repeated")
	f.StringSliceVar(&o.want.IP, "ip", nil, "address; may be repeated")
	f.StringSliceVar(&o.want.Email, "email", nil, "mailbox; may be repeated")
	f.Var(amount{&o.days, 1, admin.MaxCertificateDays}, "days", "how long it lives, 825 days at most")
	f.StringVar(&o.file, "out", "", "write the certificate to this file, which must not exist; -: to standard output (default: NAME.crt)")
	f.StringVar(&o.chain, "ca-out", "", "write the authority's certificate and the root to this file, too, which must not exist")
	return s.tells(c, o.run, "serial")
}

// quotedName is a name as it may stand in a command that is suggested.
func quotedName(name string) string { return strings.ReplaceAll(iox.CleanTo(name, 63), " ", "-") }

func (o *caIssueOptions) run(w *work, args []string) error {
	text, err := w.readText("the certificate request", o.csr, maxKeyFile)
	if err != nil {
		return err
	}
	days := int64(o.days)
	o.want.Name, o.want.CSR, o.want.Days = args[0], string(text), &days
	if o.file == "" {
		o.file = iox.Clean(o.want.Name) + ".crt"
	}
	var files []*outFile
	for _, path := range []string{o.file, o.chain} { // before anything is issued: a file that cannot be written must not cost a certificate
		if path == "" || path == "-" {
			continue
		}
		f, err := openOut(path, false)
		if err != nil {
			discard(files)
			return err
		}
		files = append(files, f)
	}
	c, err := admin.Call(w, w.client, admin.CreateCertificate, admin.CreateCertificateIn{InTenant: w.InTenant, Body: o.want})
	for _, f := range files {
		if err == nil {
			body := c.Body.PEM
			if f.path == o.chain {
				body = c.Body.Chain
			}
			err = f.write(onlyPEM(body))
		}
	}
	if err != nil {
		discard(files)
		return err
	}
	return o.print(w, c.Body)
}

func discard(files []*outFile) {
	for _, f := range files {
		f.discard()
	}
}

func (o *caIssueOptions) print(w *work, c admin.CreatedCertificate) error {
	return w.show(c, func() {
		if o.file == "-" {
			w.IO.Out.Write(onlyPEM(c.PEM))
		} else {
			w.IO.Printf("The certificate of %s is in %s (serial %s), good until %s", c.Name, o.file, c.Serial, c.NotAfter.UTC().Format(time.DateOnly))
		}
		if o.chain == "" {
			w.IO.Notef("What the device has to trust: cvlan admin ca show --pem")
		}
	})
}
