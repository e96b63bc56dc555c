package bundle

import (
	"iter"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/cvlan/cvlan/api/local"
)

// Status makes everything known that a status names.
func (a *Anonymizer) Status(s *local.Status) {
	for _, n := range s.Networks {
		a.Name("network", n.Name)
		a.Name("tenant", n.Tenant)
		a.node(&n.Self)
		a.Name("interface", telling(n.Interface))
		if n.Relay != nil {
			a.Name("relay", n.Relay.Name)
		}
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

// usual are names of interfaces that say nothing of anybody; one that the system makes of a hardware address does.
var usual = regexp.MustCompile(`^(lo|(cvlan|eth|wlan|docker|virbr|tun|tap|wg|utun|bond|br|usb)\d+|(en|wl|ww)[ops]\w*|br-[0-9a-f]{12}|veth[0-9a-f]+)$`)

// telling returns the name of an interface unless it is a usual one.
func telling(name string) string {
	if usual.MatchString(name) {
		return ""
	}
	return name
}

// Host makes known what the machine itself is called by. login is the person's; that of root is everybody's.
func (a *Anonymizer) Host(name, login string, interfaces iter.Seq[string]) {
	a.Name("host", name)
	if login != "root" {
		a.Name("user", login)
	}
	for _, i := range slices.Sorted(interfaces) {
		a.Name("interface", telling(i))
	}
}

// Paths makes the relays known that lead to peers, which are more than those in use.
func (a *Anonymizer) Paths(all []local.PeerPath) {
	for _, p := range all {
		for _, c := range p.Candidates {
			a.Name("relay", c.Relay)
		}
	}
}

// Denials makes those known that were refused: some have left since.
func (a *Anonymizer) Denials(l *local.PolicyLog) {
	for _, n := range l.Networks {
		for _, d := range n.Denials {
			for _, place := range []*local.DenialPlace{d.Src, d.Dst} {
				if place != nil {
					a.Name("node", place.Name)
				}
			}
		}
	}
}

// IPsec makes the trust domains known that identities are of.
func (a *Anonymizer) IPsec(all *local.IPsec) {
	identity := func(id string) {
		if domain, _, ok := strings.Cut(strings.TrimPrefix(id, "spiffe://"), "/"); ok {
			a.Name("trust-domain", domain)
		}
	}
	for _, n := range all.Networks {
		identity(n.Identity)
		for _, p := range n.Peers {
			a.Name("node", p.Name)
			for _, sa := range p.IKE {
				identity(sa.Identity)
			}
		}
	}
}

// shaped are names that nobody has told of, by their shape: whose home a path is in, a login, a host with a port. What looks like a host but is
// a place in a program is none.
var shaped = []struct {
	kind  string
	shape *regexp.Regexp
}{
	{"user", regexp.MustCompile(`(?:/home/|/Users/|\\Users\\+)([^/\\\s"':]+)`)},
	{"user", regexp.MustCompile(`([\p{L}\p{N}._+-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+)`)},
	{"host", regexp.MustCompile(`\b((?:[A-Za-z0-9-]+\.)+[A-Za-z][A-Za-z0-9-]+):\d{1,5}\b`)},
}

// Shaped makes known what has the shape of a name in a text.
func (a *Anonymizer) Shaped(text []byte) {
	for _, s := range shaped {
		for _, m := range s.shape.FindAllSubmatch(text, -1) {
			if name := string(m[1]); !strings.HasSuffix(name, ".go") {
				a.Name(s.kind, name)
			}
		}
	}
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
