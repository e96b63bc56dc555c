package bundle

import (
	"net"

	"github.com/cvlan/cvlan/api/local"
)

// Status makes everything known that a status names.
func (a *Anonymizer) Status(s *local.Status) {
	for _, n := range s.Networks {
		a.Name("network", n.Name)
		a.Name("tenant", n.Tenant)
		a.node(&n.Self)
		a.Name("interface", notOurs(n.Interface))
		if host, _, err := net.SplitHostPort(n.Controller.Address); err == nil {
			a.Name("controller", host)
		}
		for i := range n.Peers {
			a.node(&n.Peers[i].Node)
			a.Name("relay", n.Peers[i].Relay)
		}
	}
}

func (a *Anonymizer) node(n *local.Node) {
	a.Name("node", n.Name)
	a.Name("user", n.User)
	a.Name("key", n.Key)
	for _, t := range n.Tags {
		a.Name("tag", t)
	}
}

// notOurs leaves out interfaces with the names that everybody's have.
func notOurs(name string) string {
	if len(name) > 5 && name[:5] == "cvlan" {
		return ""
	}
	return name
}

// Tunnels makes everything known that tunnels name.
func (a *Anonymizer) Tunnels(w *local.WireGuard) {
	for _, n := range w.Networks {
		a.Name("key", n.Key)
		for _, p := range n.Peers {
			a.Name("node", p.Name)
			a.Name("key", p.Key)
		}
	}
}

// Check makes the relays known that a check of the network names.
func (a *Anonymizer) Check(c *local.NetCheck) {
	for _, r := range c.Relays {
		a.Name("relay", r.Name)
		a.Name("region", r.Region)
	}
}
