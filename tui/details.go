package tui

import (
	"slices"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/cells"
	"github.com/cvlan/cvlan/internal/base/words"
	"github.com/cvlan/cvlan/tui/draw"
)

// details draws a peer: in a pane beside the list, or in full over it.
type details struct {
	*world
	id     peerID
	scroll scroll
}

// highPane is the height from which the pane has room for what is long and seldom wanted.
const highPane = 44

// pane draws what matters most. Where the terminal is high its graph is higher.
func (d *details) pane(p *peer, width, height int) []string {
	lines := append(d.heading(p, width), d.facts(p, width, height >= highPane)...)
	lines = append(lines, d.traffic(p, width, min(max(height/8, 3), 8))...)
	if d.ping.id == p.id && d.ping.sent > 0 {
		lines = append(lines, d.echoes(width, 3)...)
	}
	lines = append(append(lines, d.rules(p, width)...), d.ways(p, width)...)
	if len(lines) > height && height > 0 {
		lines = append(lines[:height-1], d.theme.Dim.Paint(cells.Cut("… enter shows all of it", width)))
	}
	return lines
}

// full draws everything, of which a part is seen.
func (d *details) full(width, height int) []string {
	p := d.byID[d.id]
	if p == nil {
		return append([]string{""}, paragraph(d.theme.Dim, "This peer is not in the network any more; esc goes back", width)...)
	}
	lines := d.heading(p, width)
	if width >= paneFrom {
		half := (width - 3) / 2
		rest := width - half - 3
		left := slices.Concat(d.facts(p, half, true), d.rules(p, half), d.certificate(p, half), d.associations(p, half))
		right := slices.Concat(d.traffic(p, rest, min(max(height/8, 4), 9)), d.pings(p, rest, min(max(height/7, 4), 10)), d.ways(p, rest))
		return d.scroll.part(append(lines, draw.Beside(left, half, "   ", right)...), height)
	}
	lines = append(lines, d.pings(p, width, 4)...) // what was asked for comes first
	lines = slices.Concat(lines, d.facts(p, width, true), d.rules(p, width), d.traffic(p, width, 4), d.ways(p, width), []string{""}, d.certificate(p, width), d.associations(p, width))
	return d.scroll.part(lines, height)
}

// pings draws the run of pings to a peer, if there is one.
func (d *details) pings(p *peer, width, height int) []string {
	if d.ping.id != p.id {
		return nil
	}
	return d.echoes(width, height)
}

func (d *details) heading(p *peer, width int) []string {
	t := d.theme
	style, mark := p.mark(t)
	l := draw.NewLine(width, draw.Style{}).Put(style, mark+" ").Put(t.Accent.Strong(), p.name).Put(t.Text, "  ").Put(wayStyle(t, p.stand), p.way)
	if p.rtt > 0 {
		l.Put(t.Dim, "  "+latency(p.rtt))
	}
	return []string{l.String(), ""}
}

// facts are the peer's properties, one a line; whole adds those that are long and seldom wanted.
func (d *details) facts(p *peer, width int, whole bool) []string {
	f := fields{theme: d.theme, width: width}
	for i, a := range p.Addresses {
		f.add(label(i == 0, "address"), a.String())
	}
	if whole {
		f.add("name", d.fullName(p))
	}
	if len(p.Tags) > 0 && p.User == "" {
		f.add("tags", p.owner)
	} else {
		f.add("owner", p.owner)
	}
	if whole || len(d.networks) > 1 {
		f.add("network", p.network)
	}
	f.add("leads to", d.leads(p))
	f.add("online", d.online(p))
	f.style(d.theme.Bad, "closed", cleanText(p.Closed))
	f.add("protocol", d.speech(p))
	if known, ok := d.paths[p.id]; ok && known.err == nil {
		f.add("path", chosen(&known.PeerPath, d.now))
		if p.Protocol != local.IPsecProtocol {
			f.add("preshared", cleanText(known.Preshared))
		}
	}
	if p.Endpoint != nil {
		f.add("endpoint", p.Endpoint.String())
	}
	if p.LastHandshake != nil {
		f.add("handshake", words.Ago(d.now, *p.LastHandshake))
	}
	f.add("so far", "↓ "+words.Bytes(p.RxBytes)+"  ↑ "+words.Bytes(p.TxBytes))
	if whole {
		f.add("key", cleanName(p.Key))
		f.add("node", cleanName(p.ID))
	}
	return append(f.lines, "")
}

// chosen says since when a way is in use, and why.
func chosen(p *local.PeerPath, now time.Time) string {
	why := cleanText(p.Why)
	if p.Since != nil {
		why = "for " + words.Span(now.Sub(*p.Since)) + ": " + why
	}
	return why
}

// speech is by which protocol packets leave, and why where somebody has chosen.
func (d *details) speech(p *peer) string {
	text := protocol(p.Protocol)
	if p.Cipher != "" {
		text += ", " + cleanText(p.Cipher)
	}
	if p.Chosen != "" && p.Chosen != p.Protocol {
		text += ", soon " + protocol(p.Chosen)
	}
	if p.Why != "" && p.Why != "default" && p.Closed == "" {
		text += " (" + cleanText(p.Why) + ")"
	}
	return text
}

func label(shown bool, name string) string {
	if shown {
		return name
	}
	return ""
}

func (d *details) online(p *peer) string {
	switch {
	case p.Kind == local.PlainPeer:
		return "a plain WireGuard device, without an agent"
	case p.Online:
		return "yes"
	case p.LastSeen != nil:
		return "no, seen " + words.Ago(d.now, *p.LastSeen)
	}
	return "no"
}

func (d *details) key(name string) action {
	p := d.byID[d.id]
	switch {
	case name == "esc" || name == "left" || name == "enter" || name == "backspace":
		return open{}
	case name == "p" && d.ping.on && d.ping.id == d.id:
		d.ping.on = false
		return nil
	case d.scroll.key(name):
		return nil
	}
	return peerKey(d.world, p, name)
}

func (d *details) hints() []hintText {
	p := hintText{"p", "ping"}
	if d.ping.on && d.ping.id == d.id {
		p.does = "stop ping"
	}
	h := []hintText{{"esc", "back"}, p, {"c", "copy address"}, {"C", "copy name"}}
	if d.admin {
		h = append(h, hintText{"e", "explain"})
	}
	if q := d.byID[d.id]; d.exitAt(q) != nil {
		does := "use as exit"
		if d.network(q.id.network).leavesBy(q.Name) {
			does = "use no exit"
		}
		h = append(h, hintText{"x", does})
	}
	return h
}
