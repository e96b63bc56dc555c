package cli

import (
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newCA(s *session) *cobra.Command {
	return nouns("ca", "Look after the certificate authority",
		"Each tenant has a certificate authority under the controller's root. It signs the certificates of nodes by itself, and on demand those of IPsec "+
			"gateways and other devices without an agent.",
		"  cvlan admin ca show\n  cvlan admin ca issue gate-1 --csr gate-1.csr --dns gate-1.example.com",
		newCAShow(s), newCAIssue(s), newCAList(s), newCARevoke(s), newCACRL(s), newCARotate(s))
}

// caDoc is the JSON document of the authority.
type caDoc struct {
	Schema int `json:"schema"`
	admin.CA
}

func newCAShow(s *session) *cobra.Command {
	var out iox.Output
	var asPEM bool
	c := &cobra.Command{
		Use: "show", Short: "Show the root and the tenant's authorities",
		Long: "show prints the root, which join keys name by its pin, and the tenant's authorities with how many of their certificates are in force. " +
			"With --pem it prints their certificates instead, the root first: what a gateway has to trust.",
		Example: "  cvlan admin ca show\n  cvlan admin ca show --pem > ca.pem",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				a, err := admin.Call(w, w.client, admin.GetCA, w.InTenant)
				if err != nil {
					return err
				}
				if asPEM {
					s.printPEM(a.Body)
					return nil
				}
				return out.Write(s.IO, caDoc{adminSchema, a.Body}, func() { s.showCA(a.Body) })
			})
		},
	}
	c.Flags().BoolVar(&asPEM, "pem", false, "print the certificates that count, in PEM")
	outputFlags(c, &out)
	exclusive(c, "pem", "json", "template")
	return c
}

// printPEM writes certificates as they are, once they have been seen to be that.
func (s *session) printPEM(a admin.CA) {
	text := a.Root.PEM
	for _, i := range a.Authorities {
		if i.State != "ended" {
			text += i.PEM
		}
	}
	s.IO.Out.Write(onlyPEM(text))
}

// onlyPEM returns the PEM blocks of a text and nothing else: it comes from afar and goes to a terminal.
func onlyPEM(text string) (out []byte) {
	for rest := []byte(text); ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return out
		}
		b.Headers = nil
		b.Type = iox.Clean(b.Type)
		out = append(out, pem.EncodeToMemory(b)...)
	}
}

func (s *session) showCA(a admin.CA) {
	now := s.Now()
	t := iox.Table{}
	t.Row(iox.Cell(iox.Bold, "root"), a.Root.Subject+", "+a.Root.Key)
	t.Row("pin", a.Pin)
	t.Row("fingerprint", a.Root.Fingerprint)
	t.Row("ends", iox.Until(now, a.Root.NotAfter))
	t.Print(s.IO)
	for _, i := range a.Authorities {
		s.IO.Printf("")
		t := iox.Table{}
		t.Row(iox.Cell(iox.Bold, "authority"), i.Subject+", "+i.Key)
		t.Row("state", authorityState(i))
		t.Row("serial", i.Serial)
		t.Row("fingerprint", i.Fingerprint)
		t.Row("ends", iox.Until(now, i.NotAfter))
		t.Row("in force", inForce(now, i))
		t.Print(s.IO)
	}
}

func authorityState(a admin.Authority) any {
	switch a.State {
	case "signing":
		return iox.Cell(iox.Green, "signs")
	case "trusted":
		return iox.Cell(iox.Amber, "signs no more, trusted still")
	default:
		return iox.Cell(iox.Dim, "ended")
	}
}

// inForce says how many of an authority's certificates count.
func inForce(now time.Time, a admin.Authority) string {
	if a.InForce == 0 {
		return "no certificates"
	}
	return fmt.Sprintf("certificates of %s and %s, the last for %s", several(a.Nodes, "node"), several(a.InForce-a.Nodes, "device"), iox.Span(a.LastEnds.Sub(now).Truncate(time.Hour)))
}

// several writes a number of things.
func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

type caIssueOptions struct {
	*session
	want  admin.NewCertificate
	days  int64
	csr   string
	file  string
	chain string
	out   iox.Output
}

func newCAIssue(s *session) *cobra.Command {
	o := &caIssueOptions{session: s}
	c := &cobra.Command{
		Use: "issue NAME --csr FILE", Short: "Issue a certificate for a device without an agent",
		Long: "issue signs a certificate request (PKCS #10, PEM) for an IPsec gateway, a phone or a router. The device's key never leaves it, and of the request only " +
			"that key counts: the names are those given here. The certificate is good for servers, clients and IKE, and makes its holder no node.",
		Example: "  cvlan admin ca issue gate-1 --csr gate-1.csr --dns gate-1.example.com --ip 192.0.2.1 --days 365\n" +
			"  openssl req -new -key phone.key -subj /CN=phone | cvlan admin ca issue phone --csr - --email alice@example.com",
		Args: takes("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			o.want.Name = args[0]
			switch {
			case o.csr == "":
				return usage(c, "--csr is missing; make a request with: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "+quotedName(args[0])+".key -out "+quotedName(args[0])+".csr")
			case len(o.want.DNS)+len(o.want.IP)+len(o.want.Email) == 0:
				return usage(c, "a name that peers know the device by is missing: --dns, --ip or --email")
			}
			return s.do(c, o.run)
		},
	}
	f := c.Flags()
	f.StringVar(&o.csr, "csr", "", "file of the certificate request, PEM; -: standard input")
	f.StringSliceVar(&o.want.DNS, "dns", nil, "DNS name; may be repeated")
	f.StringSliceVar(&o.want.IP, "ip", nil, "address; may be repeated")
	f.StringSliceVar(&o.want.Email, "email", nil, "mailbox; may be repeated")
	f.Int64Var(&o.days, "days", admin.DefaultCertificateDays, "how long it lives, 825 days at most")
	f.StringVar(&o.file, "out", "", "write the certificate to this file, which must not exist; -: to standard output (default: NAME.crt)")
	f.StringVar(&o.chain, "ca-out", "", "write the authority's certificate and the root to this file, too, which must not exist")
	outputFlags(c, &o.out)
	return c
}

// quotedName is a name as it may stand in a command that is suggested.
func quotedName(name string) string { return strings.ReplaceAll(iox.CleanTo(name, 63), " ", "-") }

func (o *caIssueOptions) run(w *work) error {
	text, err := o.readKey(o.csr)
	if err != nil {
		return err
	}
	o.want.CSR, o.want.Days = text+"\n", &o.days
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
	return o.print(c.Body)
}

func discard(files []*outFile) {
	for _, f := range files {
		f.discard()
	}
}

func (o *caIssueOptions) print(c admin.CreatedCertificate) error {
	doc := struct {
		Schema int `json:"schema"`
		admin.CreatedCertificate
	}{adminSchema, c}
	return o.out.Write(o.IO, doc, func() {
		if o.file == "-" {
			o.IO.Out.Write(onlyPEM(c.PEM))
		} else {
			o.IO.Printf("The certificate of %s is in %s (serial %s), good until %s", c.Name, o.file, c.Serial, c.NotAfter.UTC().Format(time.DateOnly))
		}
		if o.chain == "" {
			o.IO.Notef("What the device has to trust: cvlan admin ca show --pem")
		}
	})
}

func newCAList(s *session) *cobra.Command {
	var out iox.Output
	var nodes bool
	c := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List certificates", Long: "list shows the certificates that have not ended: those of devices, and with --nodes those of nodes, too.",
		Example: "  cvlan admin ca list\n  cvlan admin ca list --nodes --json",
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return s.do(c, func(w *work) error {
				all, err := collect(func(p admin.Page) (admin.List[admin.Certificate], error) {
					l, err := admin.Call(w, w.client, admin.ListCertificates, admin.ListCertificatesIn{InTenant: w.InTenant, Page: p, Nodes: nodes})
					return l.Body, err
				})
				if err != nil {
					return err
				}
				doc := struct {
					Schema       int                 `json:"schema"`
					Certificates []admin.Certificate `json:"certificates"`
				}{adminSchema, all}
				return out.Write(s.IO, doc, func() { s.printCertificates(all) })
			})
		},
	}
	c.Flags().BoolVar(&nodes, "nodes", false, "show those of nodes, too")
	outputFlags(c, &out)
	return c
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
