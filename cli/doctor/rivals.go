package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/cvlan/cvlan/api/local"
)

// This file is how other VPNs on the machine and ours get along. Each sends packets its way by routing rules, of which the first that fits decides.

// Rule is a routing rule that a program has added.
type Rule struct {
	Priority int    `json:"priority"` // the lowest is asked first
	Table    string `json:"table"`
	Mark     uint32 `json:"mark,omitempty"`
}

// The rule of our own by which traffic leaves through an exit, or not at all.
const (
	exitRule  = 5157
	exitTable = "15700"
)

// rival is another VPN.
type rival struct {
	name string
	off  string // what switches it off
}

var (
	tailscale = rival{"Tailscale", "sudo tailscale down"}
	netbird   = rival{"NetBird", "sudo netbird down"}
	mullvad   = rival{"Mullvad", "mullvad disconnect"}
	wireguard = rival{"WireGuard", "sudo wg-quick down NAME   (wg show tells which)"}
)

// of tells whose rule it is.
func (r Rule) of() (rival, bool) {
	switch number, _ := strconv.ParseUint(r.Table, 0, 32); {
	case number == 52 && r.Priority >= 5200 && r.Priority < 5300:
		return tailscale, true
	case r.Mark == 0x1bd00:
		return netbird, true
	case r.Mark == 0x6d6f6c65:
		return mullvad, true
	case r.Mark != 0 && uint64(r.Mark) == number: // wg-quick and NetworkManager call the table as the mark
		return wireguard, true
	}
	return rival{}, false
}

// rivals are the VPNs that have rules here, in the order in which they are asked.
func (h *HostFacts) rivals() (all []rival, first map[rival]int) {
	first = map[rival]int{}
	for _, r := range h.Rules {
		who, ok := r.of()
		if !ok {
			continue
		}
		if at, known := first[who]; !known || r.Priority < at {
			first[who] = r.Priority
		}
		if !slices.Contains(all, who) {
			all = append(all, who)
		}
	}
	slices.SortFunc(all, func(a, b rival) int { return first[a] - first[b] })
	return all, first
}

// shut reports whether our rule is there.
func (h *HostFacts) shut() bool {
	return slices.ContainsFunc(h.Rules, func(r Rule) bool { return r.Priority == exitRule && r.Table == exitTable })
}

// beside says how an exit and the rules of others get along.
func (j *judge) beside(n *local.Network) {
	if n.Exit == nil {
		return
	}
	all, first := j.Host.rivals()
	for _, who := range all {
		f := Finding{Code: "exit-and-vpn", Severity: Warning, Hint: fmt.Sprintf("have one of the two: %s, or sudo cvlan exit off", who.off)}
		if first[who] < exitRule {
			f.What = fmt.Sprintf("what is for the internet may leave through %s, and not through the exit %s", who.name, n.Exit.Node)
			f.Why = fmt.Sprintf("its routing rules come first (%d; ours is %d)", first[who], exitRule)
		} else {
			f.What = fmt.Sprintf("%s does not work beside the exit %s: what it sends leaves through the exit", who.name, n.Exit.Node)
			f.Why = fmt.Sprintf("our routing rule takes all that is not cvlan's own, and comes before its (%d; ours is %d)", first[who], exitRule)
		}
		j.add(f)
	}
}

// shared are the addresses that Tailscale gives its machines, and drops from everybody else.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// dropped says that Tailscale's firewall takes a network's machines for forgers.
func (j *judge) dropped(n *local.Network) {
	all, _ := j.Host.rivals()
	if !slices.Contains(all, tailscale) {
		return
	}
	for _, r := range n.Ranges {
		if !r.Overlaps(shared) {
			continue
		}
		j.add(Finding{Code: "tailscale-drops", Severity: Warning, What: fmt.Sprintf("Tailscale's firewall may drop what comes from this network's machines, in %s", r),
			Why:  "it lets nothing from 100.64.0.0/10 in but by its own interface",
			Hint: "give the network another range: cvlan admin network create --range4 10.77.0.0/16 …; or run Tailscale without its firewall: sudo tailscale set --netfilter-mode=off"})
		return
	}
}

// others names the VPNs whose rules there are; "" if there are none.
func (h *HostFacts) others() string {
	all, _ := h.rivals()
	var names []string
	for _, r := range all {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}
