package cli

import (
	"github.com/spf13/cobra"

	"github.com/cvlan/cvlan/api/admin"
	"github.com/cvlan/cvlan/cli/iox"
)

func newCARotate(s *session) *cobra.Command {
	return nouns("rotate", "Give the tenant's authority a new key",
		"A new key is taken into use in two steps, with time between them: begin makes it sign, finish ends the old one. Meanwhile both are trusted, and nodes get certificates of "+
			"the new one: those that are connected at once, the others when they come back. Join keys stay valid: they name the root, which is not changed.",
		"  cvlan admin ca rotate begin\n  cvlan admin ca rotate status\n  cvlan admin ca rotate finish",
		newRotateBegin(s), newRotateStatus(s), newRotateFinish(s))
}

func newRotateBegin(s *session) *cobra.Command {
	var own bool
	c := &cobra.Command{
		Use: "begin", Short: "Sign with a new key from now on",
		Long: "begin makes a new key for the tenant's authority, which signs from now on. Nothing changes for whoever has a certificate. An authority that a company has certified gets its next key " +
			"by cvlan admin ca request and install; with --own it leaves the company's root.",
		Example: "  cvlan admin ca rotate begin\n  cvlan admin ca rotate begin --tenant acme --json",
		Args:    takes(),
	}
	c.Flags().BoolVar(&own, "own", false, "although the authority has a company's certificate and the next one would have none")
	return s.tells(c, func(w *work, _ []string) error {
		a, err := admin.Call(w, w.client, admin.BeginRotation, admin.BeginRotationIn{InTenant: w.InTenant, Own: own})
		if err != nil {
			return err
		}
		return w.show(a.Body, func() { s.showBegun(a.Body) })
	}, "authorities.serial")
}

// showBegun says what a rotation that has begun wants of people.
func (s *session) showBegun(a admin.CA) {
	s.IO.Printf("The new key signs from now on.")
	s.showRotation(a)
	s.IO.Notef("\nGive gateways the new authority's certificate: cvlan admin ca show --pem\nNodes follow by themselves; see how far they are: cvlan admin ca rotate status")
}

func newRotateStatus(s *session) *cobra.Command {
	return s.tells(&cobra.Command{
		Use: "status", Short: "Show how far the rotation is",
		Long:    "status shows how many certificates of the old key are in force still, and when the last of them ends.",
		Example: "  cvlan admin ca rotate status\n  cvlan admin ca rotate status --template '{{range .authorities}}{{.state}} {{.in_force}}{{\"\\n\"}}{{end}}'",
		Args:    takes(),
	}, func(w *work, _ []string) error {
		a, err := admin.Call(w, w.client, admin.GetCA, w.InTenant)
		if err != nil {
			return err
		}
		return w.show(a.Body, func() {
			if old := leaving(a.Body); old == nil {
				s.IO.Printf("No rotation is under way.")
				return
			}
			s.showRotation(a.Body)
		})
	}, "authorities.serial")
}

// signing returns the authority that signs; the zero one if the controller names none.
func signing(a admin.CA) (first admin.Authority) {
	if len(a.Authorities) > 0 {
		first = a.Authorities[0]
	}
	return first
}

// leaving returns the authority that is to be ended, or nil.
func leaving(a admin.CA) *admin.Authority {
	for i := range a.Authorities {
		if a.Authorities[i].State == "trusted" {
			return &a.Authorities[i]
		}
	}
	return nil
}

func (s *session) showRotation(a admin.CA) {
	t := iox.Table{}
	t.Row("new key", inForce(s.Now(), signing(a)))
	if old := leaving(a); old != nil {
		t.Row("old key", inForce(s.Now(), *old))
		if old.InForce == 0 {
			t.Row("next", "cvlan admin ca rotate finish")
		}
	}
	t.Print(s.IO)
}

func newRotateFinish(s *session) *cobra.Command {
	var revoke, sure bool
	c := &cobra.Command{
		Use: "finish", Short: "End the old key",
		Long: "finish deletes the old key. It is refused while certificates of it are in force. With --revoke they are revoked: for a key that has leaked. Nodes that have not renewed " +
			"by then must join again when their sessions end, and devices need new certificates.",
		Example: "  cvlan admin ca rotate finish\n  cvlan admin ca rotate finish --revoke",
		Args:    takes(),
	}
	c.Flags().BoolVar(&revoke, "revoke", false, "revoke what the old key has signed and is still in force")
	c.Flags().BoolVarP(&sure, "yes", "y", false, "do not ask")
	return s.tells(c, func(w *work, _ []string) error {
		if revoke && !sure && !s.IO.Confirm("Revoke all certificates that the old key has signed? Nodes that have not renewed must join again.") {
			return &iox.Error{Exit: iox.Interrupted, What: "nothing was changed"}
		}
		q := admin.FinishRotationIn{InTenant: w.InTenant}
		q.Body.Revoke = revoke
		a, err := admin.Call(w, w.client, admin.FinishRotation, q)
		if err != nil {
			return err
		}
		return w.show(a.Body, func() { s.IO.Printf("The old key is deleted.") })
	}, "authorities.serial")
}
