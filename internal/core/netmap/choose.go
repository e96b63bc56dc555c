package netmap

import "github.com/cvlan/cvlan/proto/control"

// Choice is what two nodes speak.
type Choice struct {
	By  control.Tunnels // one of them; zero: nothing, for they have none in common
	Why Why
	// Only says that a rule lets nothing pass by another protocol. Where By is not IPsec then, the rule cannot be kept, and what it allows is
	// closed.
	Only bool
}

// Why is the reason of a choice.
type Why uint8

// The reasons.
const (
	ByDefault    Why = iota
	ByPolicy         // a rule requires IPsec
	ByNetwork        // the network says so
	ByPreference     // of one of the two
	ByNeed           // they have nothing else in common
	Unmet            // a rule requires IPsec, and one of the two does not speak it
	Apart            // they have nothing in common
)

// String says the reason for people.
func (w Why) String() string {
	return [...]string{
		"default", "required by policy", "setting of the network", "preferred by one of the two nodes", "the only protocol that both speak",
		"policy requires ipsec, which one of the two nodes does not speak", "the two nodes have no tunnel protocol in common",
	}[w]
}

// Open reports whether the two may speak at all, as far as protocols go.
func (c Choice) Open() bool { return c.By != 0 && c.Why != Unmet }

// Fault says why the two may not speak and what can be done, for people; "" if they may. self is the node that is asked, other the peer.
func (c Choice) Fault(self, other control.Speech) string {
	mine, theirs := self.Speaks.String(), other.Speaks.String()
	switch c.Why {
	case Unmet:
		if self.Speaks&control.IPsec != 0 {
			return "policy requires ipsec, and that node speaks " + theirs + " only: let it speak ipsec, or take require out of the rule"
		}
		return "policy requires ipsec, and this node speaks " + mine + " only: let it speak ipsec, or take require out of the rule"
	case Apart:
		return "no common protocol: this node speaks " + mine + " only, that node " + theirs + ": let one of them speak both (a node in FIPS mode speaks ipsec only)"
	}
	return ""
}

// Choose decides what two nodes speak: what policy requires, else what the network says, else IPsec if one of the two prefers it, else
// WireGuard; always something that both speak. Each of them computes it from the same map, and says nothing about it to the other: there is
// nothing that could be talked down. It is the same whichever of the two is asked. network is zero where the network leaves it to its nodes.
func Choose(a, b control.Speech, required bool, network control.Tunnels) Choice {
	both := a.Speaks & b.Speaks & (control.WireGuard | control.IPsec)
	switch {
	case both == 0:
		return Choice{Why: Apart, Only: required}
	case required && both&control.IPsec == 0:
		return Choice{By: both, Why: Unmet, Only: true}
	case required:
		return Choice{By: control.IPsec, Why: ByPolicy, Only: true}
	case both != control.WireGuard|control.IPsec:
		c := Choice{By: both, Why: ByNeed}
		if both == control.WireGuard && network != control.IPsec && a.Prefers != control.IPsec && b.Prefers != control.IPsec {
			c.Why = ByDefault
		}
		return c
	case network == control.WireGuard || network == control.IPsec:
		return Choice{By: network, Why: ByNetwork}
	case a.Prefers == control.IPsec || b.Prefers == control.IPsec:
		return Choice{By: control.IPsec, Why: ByPreference}
	}
	return Choice{By: control.WireGuard}
}
