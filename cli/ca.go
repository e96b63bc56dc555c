package cli

import (
	"encoding/pem"
	"fmt"
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
		newCAShow(s), newCAIssue(s), newCAList(s), newCARevoke(s), newCACRL(s), newCARotate(s), newCARequest(s), newCAInstall(s))
}

func newCAShow(s *session) *cobra.Command {
	var asPEM bool
	c := s.tells(&cobra.Command{
		Use: "show", Short: "Show the root and the tenant's authorities",
		Long: "show prints the root, which join keys name by its pin, and the tenant's authorities with how many of their certificates are in force. " +
			"With --pem it prints their certificates instead, the root first: what a gateway has to trust. Of an authority that a company has certified it prints the company's chain.",
		Example: "  cvlan admin ca show\n  cvlan admin ca show --pem > ca.pem",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		a, err := admin.Call(w, w.client, admin.GetCA, w.InTenant)
		if err != nil {
			return err
		}
		if asPEM {
			s.printPEM(a.Body)
			return nil
		}
		return w.show(a.Body, func() { s.showCA(a.Body) })
	}, "authorities.serial")
	c.Flags().BoolVar(&asPEM, "pem", false, "print the certificates that count, in PEM")
	exclusive(c, "pem", "json", "template", "quiet")
	return c
}

// printPEM writes certificates as they are, once they have been seen to be that.
func (s *session) printPEM(a admin.CA) {
	root, text := "", ""
	for _, i := range a.Authorities {
		switch {
		case i.State == "ended":
		case len(i.Cross) > 0:
			for _, c := range i.Cross {
				text += c.PEM
			}
		default:
			root, text = a.Root.PEM, text+i.PEM
		}
	}
	s.IO.Out.Write(onlyPEM(root + text))
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
		s.showCross(&t, i)
		t.Print(s.IO)
	}
	if r := a.Request; r != nil {
		s.IO.Printf("")
		t := iox.Table{}
		t.Row(iox.Cell(iox.Bold, "request"), r.Subject)
		t.Row("state", iox.Cell(iox.Amber, "waits for a company's signature"))
		t.Row("made", iox.Ago(now, r.Created)+" by "+r.CreatedBy)
		t.Print(s.IO)
	}
}

// showCross says by which certificates of a company an authority is believed, too.
func (s *session) showCross(t *iox.Table, a admin.Authority) {
	for i, c := range a.Cross {
		ends := ", ends " + iox.Until(s.Now(), c.NotAfter)
		switch {
		case i == len(a.Cross)-1:
			t.Row("company", c.Subject+ends+", fingerprint "+c.Fingerprint)
		case i == 0:
			t.Row("certified", "by "+a.Cross[1].Subject+ends)
		default:
			t.Row("above it", c.Subject+ends)
		}
	}
	if a.Warning != "" {
		t.Row("warning", iox.Cell(iox.Amber, a.Warning))
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
	return fmt.Sprintf("certificates of %s and %s, the last for %s", count(a.Nodes, "node"), count(a.InForce-a.Nodes, "device"), iox.Span(a.LastEnds.Sub(now).Truncate(time.Hour)))
}
