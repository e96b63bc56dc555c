package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/words"
)

// Bounds of what is in order.
const (
	badClock = time.Minute // ahead of or behind the controller's
	// What is left of a company's chain when it is noted, when it is a reason to worry, and when there is no time left for the company's people.
	companySoon, companyDue, companyLate = 90 * 24 * time.Hour, 30 * 24 * time.Hour, 7 * 24 * time.Hour

	certSoon   = 14 * 24 * time.Hour // left of a certificate that should have been renewed long before
	lowMTU     = 1280 + 80           // bytes of the smallest way that carries IPv6's least MTU inside a tunnel
	leastSpace = 1 << 20             // bytes that a socket holds for the machine, below which bursts get lost
	unanswered = 3 * time.Minute     // since the last handshake, when another is being tried
)

// networks judges each membership.
func (j *judge) networks() {
	if len(j.Status.Networks) == 0 {
		j.add(Finding{Code: "no-network", Severity: Note, What: "this machine is in no network yet", Hint: "sudo cvlan up --key-file FILE"})
	}
	for i := range j.Status.Networks {
		n := &j.Status.Networks[i]
		before := len(j.found)
		j.told(n)
		j.state(n)
		if n.Interface != "" {
			j.iface(n)
			j.routed(n)
			j.peers(n)
			j.policy(n)
			j.passes(n)
			j.dropped(n)
		}
		j.beside(n)
		j.certificate(n)
		j.company(n)
		for k := before; k < len(j.found); k++ {
			j.found[k].Network = n.Name
		}
	}
	j.tunnels()
}

// told passes on what the daemon itself has found.
func (j *judge) told(n *local.Network) {
	if p := n.Problem; p != nil {
		s := Error
		if n.State == local.Offline || n.State == local.Up {
			s = Warning
		}
		j.add(Finding{Code: p.Code, Severity: s, What: p.What, Hint: p.Hint})
	}
	for _, p := range n.Warnings {
		j.add(Finding{Code: p.Code, Severity: Warning, What: p.What, Hint: p.Hint})
	}
}

// state adds what the daemon sees no problem in.
func (j *judge) state(n *local.Network) {
	switch {
	case n.State == local.Down:
		j.add(Finding{Code: "switched-off", Severity: Note, What: "the network is switched off", Hint: "sudo cvlan up --network " + n.Name})
	case n.State == local.Pending:
		j.add(Finding{Code: "approval-pending", Severity: Error, What: "this machine waits for approval by an admin", Hint: "an admin types: cvlan admin node approve " + n.Self.ID})
	case n.Problem != nil:
	case n.State == local.Offline:
		j.add(Finding{Code: "controller-unreachable", Severity: Warning, What: "the controller " + n.Controller.Address + " does not answer; the network runs with its last map",
			Why: n.Controller.Problem, Hint: "does it run, and does a firewall let TCP and UDP through to it?"})
	case n.State == local.Starting:
		j.add(Finding{Code: "starting", Severity: Warning, What: "the network is still coming up", Why: n.Controller.Problem, Hint: "cvlan status --watch"})
	case n.State == local.NeedsLogin || n.State == local.Failed:
		j.add(Finding{Code: string(n.State), Severity: Error, What: "the network does not work on this machine", Hint: "cvlan status"})
	}
}

// iface looks at the network's interface, which others on the machine may have changed.
func (j *judge) iface(n *local.Network) {
	if j.Host.Interfaces == nil {
		return
	}
	mtu, there := j.Host.Interfaces[n.Interface]
	switch {
	case !there:
		j.add(Finding{Code: "interface-gone", Severity: Error, What: "the interface " + n.Interface + " is gone", Why: "somebody deleted it, or cvlan runs in another network namespace than the daemon",
			Hint: fmt.Sprintf("sudo cvlan down --network %s && sudo cvlan up --network %s", n.Name, n.Name)})
	case n.MTU > 0 && mtu != n.MTU:
		j.add(Finding{Code: "mtu-changed", Severity: Warning, What: fmt.Sprintf("the interface %s has MTU %d instead of %d", n.Interface, mtu, n.MTU),
			Why: "somebody changed it: large packets may not arrive", Hint: fmt.Sprintf("sudo ip link set dev %s mtu %d", n.Interface, n.MTU),
			Cure: onLinux(j.Host.System, "ip", "link", "set", "dev", n.Interface, "mtu", fmt.Sprint(n.MTU))})
	}
}

// onLinux is a command that there is on Linux only.
func onLinux(system string, command ...string) []string {
	if system != "linux" {
		return nil
	}
	return command
}

// routed looks whether the system still sends what is for the network there: another VPN may have taken it.
func (j *judge) routed(n *local.Network) {
	for _, r := range j.Host.Routes {
		if r.Network != n.ID || slices.Contains(n.Self.Addresses, r.From) {
			continue
		}
		f := Finding{Code: "route-taken", Severity: Error, What: fmt.Sprintf("packets to %s leave from %s instead of %s", r.To, r.From, n.Interface),
			Why: "another route or rule of this machine comes first; " + cmp.Or(j.Host.others(), "another VPN's, perhaps"), Hint: fmt.Sprintf("see which: ip route get %s", r.To)}
		if !r.From.IsValid() {
			f.What, f.Why = fmt.Sprintf("this machine has no route to %s", r.To), "somebody removed it, or the address family is switched off"
		}
		j.add(f)
		return
	}
}

// passes looks whether the machine's own firewall drops what it is to pass on to networks behind it.
func (j *judge) passes(n *local.Network) {
	if !slices.ContainsFunc(n.Offers, func(o local.Offer) bool { return o.Approved }) {
		return
	}
	for _, c := range j.Host.Forward {
		if slices.Contains(c.Names, n.Interface) {
			continue
		}
		j.add(Finding{Code: "forward-dropped", Severity: Error, What: "this machine's firewall drops what it is to pass on to networks behind it", Why: "the policy of " + c.String() + " is drop, and no rule in it names " + n.Interface,
			Hint: c.opens(n.Interface)})
		return
	}
}

// dockerUser is the chain that Docker asks before its own rules, and never touches.
const dockerUser = "DOCKER-USER"

func (c Chain) String() string {
	if c.Family == "ip" && c.Table == "filter" && c.Name == "FORWARD" {
		return "the chain FORWARD of iptables"
	}
	return fmt.Sprintf("the chain %s in the nftables table %s %s", c.Name, c.Family, c.Table)
}

// opens is what lets an interface's packets through: what comes in by it, and the answers. cvlan's own policy judges them all the same.
func (c Chain) opens(iface string) string {
	const kept = "\nand, as they do not outlive a restart, where the firewall keeps its rules"
	if tool := map[string]string{"ip": "iptables", "ip6": "ip6tables"}[c.Family]; tool != "" && c.Table == "filter" && c.Name == "FORWARD" {
		chain := c.Name
		if c.Docker {
			chain = dockerUser
		}
		return fmt.Sprintf("sudo %s -I %s -i %s -j ACCEPT; sudo %[1]s -I %[2]s -o %[3]s -j ACCEPT%s", tool, chain, iface, kept)
	}
	rule := fmt.Sprintf("sudo nft insert rule %s %s %s", c.Family, c.Table, c.Name)
	return fmt.Sprintf("%s iifname %s accept; %[1]s oifname %[2]s accept%s", rule, iface, kept)
}

// policy says when nobody may reach anybody.
func (j *judge) policy(n *local.Network) {
	switch {
	case n.State != local.Up && n.State != local.Offline:
	case n.Policy.Version == 0:
		j.add(Finding{Code: "no-rules", Severity: Error, What: "this machine has no rules yet, and nothing may pass", Why: "the controller has not sent the policy",
			Hint: "cvlan status --watch; if it stays, restart the older of daemon and controller after an update"})
	case len(n.Peers) > 0:
	case n.Closed:
		j.add(Finding{Code: "network-closed", Severity: Note, What: "the network is closed: its policy lets nothing pass, and shows nobody", Hint: "an admin opens it: cvlan policy edit --network " + n.Name})
	default:
		j.add(Finding{Code: "nobody-visible", Severity: Note, What: "no other machine is in sight", Why: "there is none, or the policy hides all of them from this one",
			Hint: fmt.Sprintf("an admin sees which: cvlan admin node list --network %s\nand why: cvlan policy explain %s NODE --network %s", n.Name, n.Self.Name, n.Name)})
	}
}

// certificate adds what the daemon does not say: that it has ended.
func (j *judge) certificate(n *local.Network) {
	end := n.Controller.CertUntil
	if end == nil || has(n, "certificate-expiring") || has(n, "certificate-expired") || end.Sub(j.Now) > certSoon {
		return
	}
	f := Finding{Code: "certificate-expiring", Severity: Warning, What: "this machine's certificate ends on " + end.UTC().Format("2006-01-02"),
		Why: "it renews itself halfway, and has not", Hint: "it needs the controller: cvlan status, then the daemon's log"}
	if j.Now.After(*end) {
		f.Code, f.Severity, f.What = "certificate-expired", Error, "this machine's certificate ended on "+end.UTC().Format("2006-01-02")
		f.Hint = "is the clock right? if so, join anew: sudo cvlan logout --network " + n.Name + ", then sudo cvlan up --key-file FILE"
	}
	j.add(f)
}

// company says that the chain ends by which those who know only a company's root believe this machine. Nodes do not need it.
func (j *judge) company(n *local.Network) {
	end := n.Controller.CrossUntil
	if end == nil || end.Sub(j.Now) > companySoon {
		return
	}
	f := Finding{Code: "company-chain-expiring", Severity: Note, What: "the company's certificates for this network's authority end on " + end.UTC().Format("2006-01-02"),
		Why: "who knows only the company's root does not believe this machine from then on; nodes do", Hint: "an owner has them renewed: cvlan admin ca request --same-key"}
	switch left := end.Sub(j.Now); {
	case left < 0:
		f.Code, f.Severity, f.What = "company-chain-expired", Warning, "the company's certificates for this network's authority ended on "+end.UTC().Format("2006-01-02")
		f.Why = "who knows only the company's root does not believe this machine; nodes do"
	case left < companyLate:
		f.Severity, f.Why = Warning, f.Why+"; that is within a week"
	case left < companyDue:
		f.Severity = Warning
	}
	j.add(f)
}

func has(n *local.Network, code string) bool {
	return n.Problem != nil && n.Problem.Code == code || slices.ContainsFunc(n.Warnings, func(p local.Problem) bool { return p.Code == code })
}

// peers says which peers are there and do not answer.
func (j *judge) peers(n *local.Network) {
	if j.Tunnels == nil {
		return
	}
	online := map[string]bool{}
	for _, p := range n.Peers {
		online[p.Key] = p.Online
	}
	var silent []string
	for _, t := range j.Tunnels.Networks {
		for _, p := range t.Peers {
			if t.ID == n.ID && online[p.Key] && p.Handshaking && (p.LatestHandshake == nil || j.Now.Sub(*p.LatestHandshake) > unanswered) {
				silent = append(silent, p.Name)
			}
		}
	}
	if len(silent) == 0 {
		return
	}
	what := silent[0] + " is online and does not answer"
	if len(silent) > 1 {
		what = fmt.Sprintf("%d peers are online and do not answer; the first is %s", len(silent), silent[0])
	}
	j.add(Finding{Code: "peer-silent", Severity: Warning, What: what, Why: "no way to it has worked yet",
		Hint: fmt.Sprintf("see every way that was tried: sudo cvlan peers path %s\nand what this network lets through: sudo cvlan netcheck", silent[0])})
}

// tunnels looks at what all of them share.
func (j *judge) tunnels() {
	if j.Tunnels == nil {
		return
	}
	for _, t := range j.Tunnels.Networks {
		if space := min(t.Socket.ReceiveBuffer, t.Socket.SendBuffer); space > 0 && space < leastSpace {
			j.add(Finding{Code: "buffers-small", Severity: Warning, Network: t.Name, What: fmt.Sprintf("the system holds only %d KiB for the tunnel's socket", space>>10),
				Why: "bursts get lost, and fast connections slow down", Hint: "sudo sysctl -w net.core.rmem_max=16777216 net.core.wmem_max=16777216, then sudo systemctl restart cvland",
				Cure: j.widen()})
			break
		}
	}
	for _, t := range j.Tunnels.Networks {
		if n := t.Drops["no_memory"]; n > 0 {
			j.add(Finding{Code: "memory-short", Severity: Warning, Network: t.Name, What: words.Count(n, "packet") + " dropped because the memory for packets was used up",
				Hint: "give the daemon more: data-memory in /etc/cvlan/cvland.toml"})
		}
	}
}

// widen is the cure where the system itself is the limit.
func (j *judge) widen() []string {
	if j.Host.Buffers == 0 || j.Host.Buffers >= leastSpace {
		return nil
	}
	return onLinux(j.Host.System, "sysctl", "-w", "net.core.rmem_max=16777216", "net.core.wmem_max=16777216")
}

// internet judges what the network lets through.
func (j *judge) internet() {
	c := j.Check
	if c == nil {
		return
	}
	told := slices.ContainsFunc(j.Status.Networks, func(n local.Network) bool { return has(&n, "clock-wrong") })
	if c.Clock != nil && c.Clock.Abs() >= badClock && !told {
		way := "behind"
		if *c.Clock < 0 {
			way = "ahead of"
		}
		j.add(Finding{Code: "clock-wrong", Severity: Warning, What: fmt.Sprintf("this machine's clock is %s %s the controller's", words.Span(c.Clock.Abs()), way),
			Why: "certificates, and rules with hours, are judged by it", Hint: j.setClock()})
	}
	if c.Captive {
		j.add(Finding{Code: "login-page", Severity: Error, What: "something answers in the relays' place", Why: "a login page, as in a hotel", Hint: "open a browser and log in there"})
		return
	}
	j.relays(c)
}

func (j *judge) relays(c *local.NetCheck) {
	var silent []local.NetRelay
	reached := 0
	for _, r := range c.Relays {
		switch {
		case r.Ended && r.TLS == 0:
			reached++
			j.add(Finding{Code: "relay-certificate", Severity: Error, What: "the relay " + r.Name + " shows a certificate that has ended, by this machine's clock",
				Why: "relays renew theirs at half of its 60 days, if their controller can be reached", Hint: "is the clock right? if so, on the relay's machine: cvlan-relay stats"})
		case r.UDP == 0 && r.TLS == 0:
			silent = append(silent, r)
		default:
			reached++
		}
		if r.MTU > 0 && r.MTU < lowMTU {
			j.add(Finding{Code: "mtu-low", Severity: Warning, What: fmt.Sprintf("packets to the relay %s may have only %d bytes", r.Name, r.MTU),
				Why: "something between carries less than usual; large packets are cut, which is slower", Hint: "another VPN in between, or PPPoE over it? see: sudo cvlan netcheck"})
		}
	}
	switch {
	case len(c.Relays) == 0:
		j.add(Finding{Code: "no-relay", Severity: Note, What: "the networks have no relay", Why: "machines behind strict NATs will not reach each other", Hint: "the controller is one if it is started with --with-relay; or make one: cvlan admin relay create NAME"})
	case reached == 0:
		j.add(Finding{Code: "offline", Severity: Error, What: "no relay answers, over UDP or TLS", Why: "this machine is offline, a firewall lets nothing pass, or the relays are down",
			Hint: "look at one from elsewhere; let UDP and TCP pass to: " + names(c.Relays)})
	case !c.IPv4.UDP && !c.IPv6.UDP:
		j.add(Finding{Code: "udp-blocked", Severity: Warning, What: "UDP does not pass: everything goes through a relay over TLS", Why: "a firewall or this network forbids it; it works, but is slower",
			Hint: "let UDP out to the relays: sudo cvlan netcheck shows them"})
	case len(silent) > 0:
		j.add(Finding{Code: "relay-unreachable", Severity: Warning, What: "no answer from the relay " + names(silent), Why: silent[0].Problem, Hint: "do they run? an admin sees: cvlan admin relay list"})
	}
}

func names(relays []local.NetRelay) string {
	text := ""
	for i, r := range relays {
		if i == 3 {
			return fmt.Sprintf("%s and %d more", text, len(relays)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += r.Name
	}
	return text
}
