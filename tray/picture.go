package tray

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/tray/menu"
)

// Bounds of the menu: what does not fit is for the interface for terminals.
const (
	maxNetworks = 8
	maxHealth   = 5
	maxPeers    = 20
	maxProfiles = 12
)

// picture is what the panel shows of the world.
func (w *world) picture(now time.Time) menu.Picture {
	p := menu.Picture{Stand: w.stand(), Title: w.title()}
	p.Entries = append(p.Entries, menu.Entry{Key: "title", Label: p.Title, Disabled: true})
	p.Entries = append(p.Entries, w.health(now)...)
	p.Detail = w.detail()
	if s := w.switches(); len(s) > 0 {
		p.Entries = append(append(p.Entries, line("1")), s...)
	}
	for i := range w.shown() {
		p.Entries = append(p.Entries, w.belongings(&w.networks[i])...)
	}
	p.Entries = append(p.Entries, line("2"),
		menu.Entry{Key: "tui", Label: "Open in a terminal", Action: menu.Action{Verb: menu.Terminal}})
	p.Entries = append(p.Entries, w.logins()...)
	p.Entries = append(p.Entries,
		menu.Entry{Key: "autostart", Label: "Start at login", Kind: menu.Check, Marked: w.autostart, Action: menu.Action{Verb: menu.Autostart, On: !w.autostart}},
		menu.Entry{Key: "quit", Label: "Quit", Action: menu.Action{Verb: menu.Quit}})
	return p
}

// detail tells of each network where there are several.
func (w *world) detail() string {
	if len(w.networks) < 2 {
		return ""
	}
	var lines []string
	for i := range w.shown() {
		n := &w.networks[i]
		lines = append(lines, name(n.Name)+": "+n.condition())
	}
	return strings.Join(lines, "\n")
}

func line(key string) menu.Entry { return menu.Entry{Key: "line/" + key, Kind: menu.Separator} }

// shown are the networks that the menu has room for.
func (w *world) shown() []network {
	return w.networks[:min(len(w.networks), maxNetworks)]
}

// title says in one line how it is.
func (w *world) title() string {
	all := w.networks
	switch {
	case !w.known:
		return "CloudVLAN: asking the daemon…"
	case w.away != nil:
		what, _ := explain(w.away)
		return what
	case len(all) == 0:
		return "This machine is in no network yet"
	case len(all) == 1:
		return name(all[0].Name) + ": " + all[0].condition()
	}
	on := 0
	for i := range all {
		if all[i].State != local.Down {
			on++
		}
	}
	return fmt.Sprintf("%d of %d networks on", on, len(all))
}

// condition says in a few words how a network is.
func (n *network) condition() string {
	switch n.State {
	case local.Down:
		return "switched off"
	case local.Starting:
		return "connecting…"
	case local.Pending:
		return "waits for an admin's approval"
	case local.Offline:
		return "the controller is away; the network runs on"
	case local.NeedsLogin:
		return "this machine must join again"
	case local.Failed:
		return "cannot come up"
	case local.Up:
		return n.company()
	}
	return text(string(n.State))
}

// company counts the peers that are online.
func (n *network) company() string {
	if n.Closed {
		return "connected, but closed: its rules let nothing pass"
	}
	way := ""
	if n.paths() == menu.Relayed {
		way = ", through relays only"
	}
	if n.online == 1 {
		return "connected, 1 peer online" + way
	}
	return "connected, " + strconv.Itoa(n.online) + " peers online" + way
}

// switches are the entries that connect and disconnect: all at once, and where there are several networks each by itself.
func (w *world) switches() []menu.Entry {
	nets := w.shown()
	if len(nets) == 0 {
		return nil
	}
	on, off := 0, 0
	for i := range nets {
		if nets[i].State == local.Down {
			off++
		} else {
			on++
		}
	}
	var all []menu.Entry
	if off > 0 {
		all = append(all, menu.Entry{Key: "up", Label: either(len(nets), "Connect", "Connect all"), Action: menu.Action{Verb: menu.Up}})
	}
	if on > 0 {
		all = append(all, menu.Entry{Key: "down", Label: either(len(nets), "Disconnect", "Disconnect all"), Action: menu.Action{Verb: menu.Down}})
	}
	if len(nets) == 1 { // the title names it
		return all
	}
	for i := range nets {
		n := &nets[i]
		e := menu.Entry{Key: "on/" + n.ID, Label: name(n.Name), Kind: menu.Check, Marked: true, Action: menu.Action{Verb: menu.Down, Network: n.ID}}
		if n.State == local.Down {
			e.Marked, e.Action.Verb = false, menu.Up
		}
		all = append(all, e)
	}
	if more := len(w.networks) - len(nets); more > 0 {
		all = append(all, menu.Entry{Key: "on/more", Label: fmt.Sprintf("%d more networks: open in a terminal", more), Action: menu.Action{Verb: menu.Terminal}})
	}
	return append(all, menu.Entry{Key: "only", Label: "Switch to", Children: singly(nets, on)})
}

// singly are the entries that switch one network on and all others off.
func singly(nets []network, on int) []menu.Entry {
	var all []menu.Entry
	for i := range nets {
		n := &nets[i]
		all = append(all, menu.Entry{Key: "only/" + n.ID, Label: name(n.Name) + " only", Kind: menu.Check, Marked: on == 1 && n.State != local.Down,
			Action: menu.Action{Verb: menu.Only, Network: n.ID}})
	}
	return all
}

// logins choose the controller that commands and the interface for terminals talk to, where there are several.
func (w *world) logins() []menu.Entry {
	if len(w.profiles) < 2 {
		return nil
	}
	e := menu.Entry{Key: "profiles", Label: "Controller profile: " + cmp.Or(name(w.profile), "none")}
	for _, p := range w.profiles[:min(len(w.profiles), maxProfiles)] {
		e.Children = append(e.Children, menu.Entry{Key: "profile/" + p, Label: name(p), Kind: menu.Check, Marked: p == w.profile, Action: menu.Action{Verb: menu.Profile, Text: p}})
	}
	if more := len(w.profiles) - len(e.Children); more > 0 {
		e.Children = append(e.Children, menu.Entry{Key: "profile/more", Label: fmt.Sprintf("%d more: cvlan profile list", more), Disabled: true})
	}
	return []menu.Entry{e}
}

func either(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// belongings are a network's addresses of this machine, and its peers.
func (w *world) belongings(n *network) []menu.Entry {
	if n.State == local.Down || n.State == local.NeedsLogin || len(n.Self.Addresses) == 0 {
		return nil
	}
	all := []menu.Entry{line("n/" + n.ID)}
	for _, a := range n.Self.Addresses {
		label := "My address: " + a.String()
		if len(w.networks) > 1 {
			label = "My address in " + name(n.Name) + ": " + a.String()
		}
		all = append(all, menu.Entry{Key: "self/" + n.ID + "/" + a.String(), Label: label, Action: menu.Action{Verb: menu.Copy, Text: a.String(), Of: "my address " + a.String()}})
	}
	if peers := n.peerEntries(); len(peers) > 0 {
		label := "Peers"
		if len(w.networks) > 1 {
			label = "Peers in " + name(n.Name)
		}
		all = append(all, menu.Entry{Key: "peers/" + n.ID, Label: label, Children: peers})
	}
	return append(all, w.exitEntries(n)...)
}
