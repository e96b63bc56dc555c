package cli

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/cli/iox"
)

// printStatus shows what is wrong first, then the networks.
func printStatus(o *iox.IO, now time.Time, s local.Status) {
	if s.FIPS {
		o.Printf("FIPS mode: IPsec alone, by the Go Cryptographic Module %s\n", s.Daemon.FIPS)
	}
	if len(s.Networks) == 0 {
		o.Printf("This machine is in no network yet. Join one with: sudo cvlan up --key-file FILE")
		return
	}
	for _, n := range s.Networks {
		printTrouble(o, n)
	}
	for i, n := range s.Networks {
		if i > 0 {
			o.Printf("")
		}
		printNetwork(o, now, n)
	}
}

func printTrouble(o *iox.IO, n local.Network) {
	all := n.Warnings
	if n.Problem != nil {
		all = append([]local.Problem{*n.Problem}, all...)
	}
	for _, p := range all {
		o.Out.Write([]byte(o.Paint(iox.Amber, "! "+n.Name+": "+p.What) + "\n"))
		if p.Hint != "" {
			o.Printf("    %s", p.Hint)
		}
	}
	if len(all) > 0 {
		o.Printf("")
	}
}

// notWireGuard reports whether a peer is one because of whom tables show protocols.
func notWireGuard(p local.Peer) bool { return p.Protocol == local.IPsecProtocol || p.Closed != "" }

// relaying says that this machine is a relay.
func relaying(r *local.OwnRelay) string {
	if r.Fault != "" {
		return "this machine is to be the relay " + iox.Clean(r.Name) + ", and is tried again: " + iox.Clean(r.Fault)
	}
	return "this machine is the relay " + iox.Clean(r.Name)
}

// exitLine says through which exit this machine's traffic leaves.
func exitLine(x local.Exit) string {
	if x.State == local.ExitInUse {
		return iox.Clean(x.Node)
	}
	return iox.Clean(x.Node) + ", " + iox.Clean(x.State)
}

func printNetwork(o *iox.IO, now time.Time, n local.Network) {
	t := iox.Table{}
	t.Row(iox.Cell(iox.Bold, n.Name), iox.Cell(stateStyle(n.State), string(n.State)), headline(n))
	t.Print(o)
	self := iox.Table{Indent: "  "}
	self.Row("this machine", n.Self.Name+"  "+addresses(n.Self.Addresses))
	if n.Interface != "" {
		self.Row("interface", n.Interface+", UDP port "+strconv.Itoa(int(n.Port))+", MTU "+strconv.Itoa(n.MTU))
	}
	self.Row("controller", controller(now, n))
	if n.Interface != "" {
		self.Row("policy", policed(n.Policy))
	}
	if n.Exit != nil {
		self.Row("exit", exitLine(*n.Exit))
	}
	if n.Relay != nil {
		self.Row("relay", relaying(n.Relay))
	}
	self.Print(o)
	if len(n.Peers) == 0 {
		return
	}
	o.Printf("")
	printPeers(o, now, n.Peers)
	for _, p := range n.Peers {
		if p.Closed != "" {
			o.Printf("  %s: closed: %s", p.Name, iox.Clean(p.Closed))
		}
	}
}

// printPeers leaves out what no peer has: an owner, another protocol than WireGuard, a place, which only operators are told.
func printPeers(o *iox.IO, now time.Time, all []local.Peer) {
	some := func(has func(local.Peer) bool) bool { return slices.ContainsFunc(all, has) }
	columns := []struct {
		head  string
		shown bool
		cell  func(local.Peer) any
	}{
		{"PEER", true, func(p local.Peer) any { return p.Name }},
		{"OWNER", some(func(p local.Peer) bool { return owner(p.Node) != "" }), func(p local.Peer) any { return owner(p.Node) }},
		{"ADDRESS", true, func(p local.Peer) any { return first(p.Addresses) }},
		{"ONLINE", true, func(p local.Peer) any { return online(now, p) }},
		{"PATH", true, func(p local.Peer) any { return strings.TrimSpace(p.Path + " " + p.Relay) }},
		{"PROTOCOL", some(notWireGuard), func(p local.Peer) any { return protocol(p) }},
		{"ENDPOINT", some(func(p local.Peer) bool { return p.Endpoint != nil }), func(p local.Peer) any { return endpoint(p.Endpoint) }},
		{"HANDSHAKE", true, func(p local.Peer) any { return since(now, p.LastHandshake) }},
		{"RECEIVED", true, func(p local.Peer) any { return iox.Bytes(p.RxBytes) }},
		{"SENT", true, func(p local.Peer) any { return iox.Bytes(p.TxBytes) }},
	}
	t := iox.Table{Indent: "  "}
	for _, c := range columns {
		if c.shown {
			t.Heads = append(t.Heads, c.head)
		}
	}
	for _, p := range all {
		var row []any
		for _, c := range columns {
			if c.shown {
				row = append(row, c.cell(p))
			}
		}
		t.Row(row...)
	}
	t.Print(o)
}

// protocol is by which packets for a peer leave.
func protocol(p local.Peer) string {
	if p.Closed != "" {
		return "closed"
	}
	return strings.TrimSpace(p.Protocol + " " + p.Cipher)
}

// owner is whose machine it is to policy: a user's, or its tags'.
func owner(n local.Node) string {
	if n.User != "" {
		return n.User
	}
	tags := make([]string, len(n.Tags))
	for i, t := range n.Tags {
		tags[i] = "tag:" + t
	}
	return strings.Join(tags, " ")
}

// policed says what the filter applies and has done.
func policed(p local.Policy) string {
	if p.Version == 0 {
		return "no rules yet: nothing may pass"
	}
	text := "version " + strconv.FormatUint(p.Version, 10) + ", " + count(p.Flows, "flow")
	if p.Denied > 0 {
		text += ", " + count(p.Denied, "packet") + " denied; which: sudo cvlan policy log"
	}
	return text
}

// headline says in words what the state means for the person.
func headline(n local.Network) string {
	switch n.State {
	case local.Down:
		return "switched off; on again with: sudo cvlan up --network " + n.Name
	case local.Pending:
		return "waits for approval: cvlan admin node approve " + n.Self.ID
	case local.Offline:
		return "the controller is away; the network runs with its last map"
	case local.NeedsLogin:
		return "this machine is not a member any more"
	case local.Failed:
		return "cannot come up"
	}
	if len(n.Peers) == 0 {
		return "no peers yet" + closed(n)
	}
	up, nodes := 0, 0
	for _, p := range n.Peers {
		if p.Kind == local.PlainPeer {
			continue
		}
		if nodes++; p.Online {
			up++
		}
	}
	text := strconv.Itoa(up) + " of " + strconv.Itoa(nodes) + " peers online"
	if plain := len(n.Peers) - nodes; plain > 0 {
		text += ", " + strconv.Itoa(plain) + " without an agent"
	}
	return text + closed(n)
}

func closed(n local.Network) string {
	if n.Closed {
		return "; closed: its rules let nothing pass"
	}
	return ""
}

func stateStyle(s local.State) iox.Style {
	switch s {
	case local.Up:
		return iox.Green
	case local.Failed, local.NeedsLogin:
		return iox.Red
	case local.Down:
		return iox.Dim
	default:
		return iox.Amber
	}
}

func controller(now time.Time, n local.Network) string {
	c := n.Controller
	switch {
	case c.Connected:
		text := c.Address + " over " + c.Transport
		if c.Proxy != "" {
			text += " through the proxy " + c.Proxy
		}
		if c.Since != nil {
			text += ", for " + iox.Span(now.Sub(*c.Since))
		}
		return text
	}
	text := c.Address
	if n.State != local.Down && n.State != local.NeedsLogin { // else nobody asks it
		text += ", away"
	}
	if c.LastContact != nil {
		text += ", last heard " + iox.Ago(now, *c.LastContact)
	}
	if c.Problem != "" && n.Problem == nil { // else it has been said above
		text += ": " + c.Problem
	}
	return text
}

func addresses(all []netip.Addr) string {
	text := make([]string, len(all))
	for i, a := range all {
		text[i] = a.String()
	}
	return strings.Join(text, "  ")
}

func first(all []netip.Addr) string {
	if len(all) == 0 {
		return ""
	}
	return all[0].String()
}

func online(now time.Time, p local.Peer) any {
	switch {
	case p.Kind == local.PlainPeer:
		return iox.Cell(iox.Dim, "no agent")
	case p.Online:
		return iox.Cell(iox.Green, "yes")
	case p.LastSeen != nil:
		return iox.Cell(iox.Dim, "seen "+iox.Ago(now, *p.LastSeen))
	default:
		return iox.Cell(iox.Dim, "no")
	}
}

func endpoint(e *netip.AddrPort) string {
	if e == nil {
		return ""
	}
	return e.String()
}

func since(now time.Time, t *time.Time) string {
	if t == nil {
		return ""
	}
	return iox.Ago(now, *t)
}
