package cli

import (
	"context"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newCert(env *Env) *cobra.Command {
	return nouns("cert", "Show and renew this machine's certificates",
		"In each network this machine has a certificate, with which it speaks to the controller, to relays, and as IPsec peer. It is renewed by itself.",
		"  cvlan cert show\n  sudo cvlan cert renew", newCertShow(env), newCertRenew(env))
}

func newCertShow(env *Env) *cobra.Command {
	o := &talk{Env: env}
	var asPEM, company bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Show this machine's certificates",
		Long: "show prints the certificate in each network: whose it is, who signed it, until when it is good and from when on it is renewed. With --pem it prints the certificates " +
			"themselves; with --company those that lead to a company's root.",
		Example: "  cvlan cert show\n  cvlan cert show --network office --pem | openssl x509 -text",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			all, err := o.certificates(ctx)
			if err != nil {
				return err
			}
			if asPEM || company {
				return o.printPEMs(all.Certificates, company)
			}
			return o.out.Write(o.IO, all, func() { env.printCertificates(all.Certificates) })
		}),
	}
	o.networkFlag(c, "only this network, by name or identifier")
	c.Flags().BoolVar(&asPEM, "pem", false, "print the certificates with their issuers' in PEM")
	o.flags(c, 10*time.Second, "certificates.serial")
	c.Flags().BoolVar(&company, "company", false, "print the certificates with those by which a company's root leads to them, in PEM")
	exclusive(c, "pem", "company", "json", "template", "quiet")
	return c
}

// printPEMs writes certificates with what leads to them: the controller's root, or a company's.
func (t *talk) printPEMs(all []local.Certificate, company bool) error {
	for _, c := range all {
		if !company {
			t.IO.Out.Write(onlyPEM(c.PEM))
			continue
		}
		leaf, _ := pem.Decode([]byte(c.PEM))
		if c.CrossPEM == "" || leaf == nil {
			return &iox.Error{Exit: iox.NotFound, What: "show the certificate in " + c.Network, Why: "no company has certified the authority of this network, or the network is not up",
				Hint: "an owner has it certified: cvlan admin ca request"}
		}
		t.IO.Out.Write(onlyPEM(string(pem.EncodeToMemory(leaf)) + c.CrossPEM))
	}
	return nil
}

// certificates are those of the networks that are asked for.
func (t *talk) certificates(ctx context.Context) (local.Certificates, error) {
	all, err := t.client.Certificates(ctx)
	if err != nil || t.network == "" {
		return all, err
	}
	s, err := t.status(ctx)
	all.Certificates = slices.DeleteFunc(all.Certificates, func(c local.Certificate) bool { return !among(s, c.ID) })
	return all, err
}

func (e *Env) printCertificates(all []local.Certificate) {
	if len(all) == 0 {
		e.IO.Printf("This machine is in no network yet. Join one with: sudo cvlan up --key-file FILE")
		return
	}
	now := e.Now()
	for i, c := range all {
		if i > 0 {
			e.IO.Printf("")
		}
		head := iox.Table{}
		head.Row(iox.Cell(iox.Bold, c.Network), c.Subject)
		head.Print(e.IO)
		t := iox.Table{Indent: "  "}
		t.Row("names", strings.Join(c.Names, " "))
		t.Row("serial", c.Serial)
		t.Row("fingerprint", c.Fingerprint)
		t.Row("key", c.Key)
		t.Row("since", iox.Ago(now, c.NotBefore))
		end, when, _ := strings.Cut(iox.Ends(now, c.NotAfter), " ")
		t.Row(end, when)
		t.Row("renewed", "from "+c.RenewsFrom.UTC().Format(time.DateOnly)+" on")
		t.Row("signed by", c.Issuer.Subject+", serial "+c.Issuer.Serial)
		t.Row("root", c.Root.Subject+", fingerprint "+c.Root.Fingerprint)
		if n := len(c.Cross); n > 1 {
			t.Row("company", c.Cross[n-1].Subject+", fingerprint "+c.Cross[n-1].Fingerprint)
			t.Row("certified", "by "+c.Cross[1].Subject+", "+iox.Ends(now, c.Cross[0].NotAfter))
		}
		t.Print(e.IO)
	}
}

func newCertRenew(env *Env) *cobra.Command {
	o := &talk{Env: env}
	c := &cobra.Command{
		Use:   "renew",
		Short: "Renew this machine's certificate now",
		Long: "renew has the daemon ask the controller for a new certificate now, for the same key. That is needed only when the authority has a new key and one does not want to wait. It " +
			"needs the rights of an operator.",
		Example: "  sudo cvlan cert renew\n  sudo cvlan cert renew --network office --json",
		Args:    takes(),
		RunE: o.asks(func(ctx context.Context, _ []string) error {
			p := o.progress(ctx, "waiting for the controller")
			r, err := o.client.RenewCertificate(ctx, local.RenewRequest{Network: o.network})
			if p.stop(); err != nil {
				return err
			}
			return o.out.Write(o.IO, r, func() {
				o.IO.Printf("The certificate in %s is renewed: good until %s instead of %s", r.New.Network, r.New.NotAfter.UTC().Format(time.DateTime), r.Old.NotAfter.UTC().Format(time.DateTime))
			})
		}),
	}
	o.networkFlag(c, "in this network, by name or identifier; needed by who is in several")
	timeoutFlag(c, &o.timeout, 40*time.Second, "how long to wait for the daemon and the controller")
	outputFlags(c, &o.out, "new.serial")
	return c
}
