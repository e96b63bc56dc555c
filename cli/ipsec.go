package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

func newIPsec(env *Env) *cobra.Command {
	return nouns("ipsec", "Look into the IPsec tunnels",
		"ipsec shows and handles the security associations that this machine has with peers with whom it speaks IPsec. To have it spoken: "+
			"cvlan set protocol ipsec, or a rule with \"require\": [\"ipsec\"].",
		"  sudo cvlan ipsec sas\n  sudo cvlan ipsec log --follow\n  sudo cvlan ipsec rekey db",
		newIPsecSAs(env), newIPsecRekey(env), newIPsecTerminate(env), newIPsecAlgs(env), newIPsecLog(env))
}

type ipsecOptions struct{ talk }

func (o *ipsecOptions) flags(c *cobra.Command, brief ...string) {
	o.networkFlag(c, "only this network, by name or identifier")
	o.talk.flags(c, 10*time.Second, brief...)
}

// ask returns what the daemon shows of the networks that are asked for.
func (o *ipsecOptions) ask(ctx context.Context) (local.IPsec, error) {
	s, err := o.client.IPsec(ctx)
	if err != nil || o.network == "" {
		return s, err
	}
	named, err := o.status(ctx)
	if err != nil {
		return s, err
	}
	s.Networks = slices.DeleteFunc(s.Networks, func(n local.IPsecNetwork) bool { return !among(named, n.ID) })
	if len(s.Networks) == 0 {
		return s, &iox.Error{Exit: iox.NotFound, What: "show " + o.network, Why: "that network is not up, or does not speak IPsec", Hint: "see why: cvlan status"}
	}
	return s, nil
}

// shown makes a command's RunE that asks and prints.
func (o *ipsecOptions) shown(print func(local.IPsec)) func(*cobra.Command, []string) error {
	return o.asks(func(ctx context.Context, _ []string) error {
		s, err := o.ask(ctx)
		if err != nil {
			return err
		}
		return o.out.Write(o.IO, s, func() { print(s) })
	})
}

func newIPsecSAs(env *Env) *cobra.Command {
	o := &ipsecOptions{talk{Env: env}}
	c := &cobra.Command{
		Use:   "sas",
		Short: "Show security associations, their ciphers and ages",
		Long: "sas prints for each peer that is spoken with by IPsec the IKE associations, by which keys are agreed on, and the pairs of ESP that carry " +
			"packets: numbers, ciphers, ages, and when each is replaced. It needs the rights of an operator.",
		Example: "  sudo cvlan ipsec sas\n  sudo cvlan ipsec sas --json\n  sudo cvlan ipsec sas --template '{{range .networks}}{{range .peers}}{{.name}} {{range .esp}}{{.cipher}} {{end}}{{\"\\n\"}}{{end}}{{end}}'",
		Args:    takes(),
		RunE:    o.shown(o.printSAs),
	}
	o.flags(c, "networks.peers.name")
	return c
}

func (o *ipsecOptions) printSAs(s local.IPsec) {
	if len(s.Networks) == 0 {
		o.IO.Printf("No network that speaks IPsec is up on this machine; see why: cvlan status")
		return
	}
	now := o.Now()
	for i, n := range s.Networks {
		if i > 0 {
			o.IO.Printf("")
		}
		head := iox.Table{}
		head.Row(iox.Cell(iox.Bold, n.Name), n.Identity)
		head.Print(o.IO)
		if len(n.Peers) == 0 {
			o.IO.Printf("  there are no associations now; the first packet to a peer makes them, if IPsec is what both speak: cvlan status, sudo cvlan set protocol ipsec")
		}
		for _, p := range n.Peers {
			o.IO.Printf("")
			o.printPeer(now, p)
		}
	}
}

func (o *ipsecOptions) printPeer(now time.Time, p local.IPsecPeer) {
	head := iox.Table{Indent: "  "}
	head.Row(iox.Cell(iox.Bold, p.Name), p.ID)
	head.Print(o.IO)
	t := iox.Table{Indent: "    "}
	for _, s := range p.IKE {
		began := "peer began"
		if s.Began {
			began = "we began"
		}
		t.Row("IKE", s.Initiator+" "+s.Responder, s.Cipher)
		t.Row(" ", fmt.Sprintf("%s %s, by %s", began, since(now, s.Since), s.Method), "rekeyed "+ahead(now, s.Rekey))
	}
	for _, s := range p.ESP {
		t.Row("ESP", s.In+" in, "+s.Out+" out", s.Cipher+inKernel[s.Kernel])
		next := "rekeyed " + ahead(now, s.Rekey)
		if s.State == "ending" {
			next = "opens what comes late"
		}
		t.Row(" ", fmt.Sprintf("%s, made %s, %s sent", s.State, since(now, s.Since), count(s.Sent, "packet")), next)
	}
	t.Print(o.IO)
}

// inKernel is what the kernel does of an association.
var inKernel = map[string]string{"both": ", in the kernel", "seals": ", sealed in the kernel", "opens": ", opened in the kernel"}

// ahead says how far an instant is in the future.
func ahead(now time.Time, t *time.Time) string {
	switch {
	case t == nil:
		return "when it is used up"
	case !t.After(now):
		return "now"
	}
	return "in " + t.Sub(now).Round(time.Second).String()
}

func newIPsecAlgs(env *Env) *cobra.Command {
	o := &ipsecOptions{talk{Env: env}}
	c := &cobra.Command{
		Use:   "algs",
		Short: "List the algorithms that this machine offers",
		Long: "algs lists what this machine offers and accepts, the best first: the proposals for IKE and for ESP, and how peers may prove who they are. " +
			"It needs the rights of an operator.",
		Example: "  sudo cvlan ipsec algs\n  sudo cvlan ipsec algs --json",
		Args:    takes(),
		RunE:    o.shown(o.printAlgs),
	}
	o.flags(c)
	return c
}

func (o *ipsecOptions) printAlgs(s local.IPsec) {
	if len(s.Networks) == 0 {
		o.IO.Printf("No network that speaks IPsec is up on this machine; see why: cvlan status")
		return
	}
	for _, n := range s.Networks {
		head := iox.Table{}
		head.Row(iox.Cell(iox.Bold, n.Name), "profile "+n.Profile)
		head.Print(o.IO)
		t := iox.Table{Indent: "  "}
		for i, p := range n.Algorithms.IKE {
			t.Row(fmt.Sprintf("IKE %d", i+1), strings.Join(p, " "))
		}
		for i, p := range n.Algorithms.ESP {
			t.Row(fmt.Sprintf("ESP %d", i+1), strings.Join(p, " "))
		}
		t.Row("proofs", strings.Join(n.Algorithms.Signatures, ", "))
		t.Print(o.IO)
	}
}
