package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/api/local"
	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/node/engine"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/relay"
)

// Path implements localapi.Backend.
func (d *Daemon) Path(_ context.Context, r local.PathRequest) (local.PeerPath, error) {
	t, err := d.findBehind(r.Peer, r.Network)
	if err != nil {
		return local.PeerPath{}, err
	}
	p := local.PeerPath{Schema: local.Schema, Peer: t.name, Network: t.s.Network.Name, Address: t.addr, Path: local.PathIdle, Preshared: "none",
		Candidates: []local.Candidate{}}
	if g := t.s.Guide(); g != nil {
		if w, ok := g.Ways(t.key); ok {
			guidedTo(&p, t.s, &w, d.cfg.Check.PathMTU)
			return p, nil
		}
	}
	if live, ok := t.s.Live()[t.key]; ok {
		heardAt(&p, &live)
	}
	return p, nil
}

// heardAt tells of a peer that is wherever it was heard from last.
func heardAt(p *local.PeerPath, live *tunnel.PeerState) {
	if live.Preshared {
		p.Preshared = "configured"
	}
	if !live.Endpoint.IsValid() {
		return
	}
	c := local.Candidate{Path: local.PathDirect, Address: &live.Endpoint, Kind: "heard", State: path.Doubted.String(), Chosen: true, Heard: instant(live.LastHandshake)}
	if time.Since(live.LastHandshake) < sessionLife {
		c.State, p.Path, p.Why = path.Works.String(), local.PathDirect, "it was heard from here last"
	}
	p.Candidates = append(p.Candidates, c)
}

// knownMTU is what the system knows of the path to an address, in bytes of the IP packet; nil: nothing.
type knownMTU func(netip.Addr) (int, error)

// guidedTo tells of a peer that the guide looks after. An address that is tried from several sockets is one way to a person, which is as its best is.
func guidedTo(p *local.PeerPath, s *engine.Status, w *guide.Ways, known knownMTU) {
	p.Path = kindOf(w.Chosen)
	if w.Chosen.IsValid() {
		p.Why, p.Since = why(w), ago(w.Ago(w.Since))
		p.Keepalive, p.KeepaliveWhy = keepalive(w)
	}
	switch {
	case w.Secret.Shared:
		p.Preshared = "post-quantum, agreed " + w.Ago(w.Secret.Since).Truncate(time.Second).String() + " ago"
	case w.Secret.Running:
		p.Preshared = "post-quantum, being agreed"
	}
	listed := map[netip.AddrPort]bool{}
	for _, c := range w.Candidates {
		if c.Way.Direct() && listed[c.Way.Remote] {
			continue
		}
		listed[c.Way.Remote] = true
		p.Candidates = append(p.Candidates, candidate(s, w, c, known))
	}
}

// candidate tells of one way.
func candidate(s *engine.Status, w *guide.Ways, c path.Candidate, known knownMTU) local.Candidate {
	out := local.Candidate{Path: kindOf(c.Way), Kind: "heard", State: c.State.String(), Chosen: c.Way == w.Chosen && w.Chosen.IsValid(),
		RTT: c.RTT, Heard: ago(w.Ago(c.Proven))}
	switch link := &w.Links[c.Way.Relay]; {
	case c.Way.Relay != 0:
		out.Kind, out.Relay = "relay", relayName(s, link.Relay)
		if c.MTU > 0 && !link.Carried { // in a stream packets are cut as they come
			out.MTU = packetOf(c.MTU+relay.HeaderSize, link.Remote.Addr(), known)
		}
	default:
		at := c.Way.Remote
		out.Address = &at
		if c.Kind != 0 {
			out.Kind = c.Kind.String()
		}
		if c.MTU > 0 {
			out.MTU = packetOf(c.MTU, at.Addr(), known)
		}
	}
	return out
}

// packetOf is the longest IP packet that passes whole on a way whose longest datagram has so many bytes; 0: it is not known. The system cuts what is longer
// than ICMP has told it, also the datagrams by which the way was measured: what it knows counts as well.
func packetOf(datagram int, to netip.Addr, known knownMTU) int {
	header := 48
	switch {
	case !to.IsValid():
		return 0
	case to.Is4():
		header = 28
	}
	if known != nil {
		if most, err := known(to); err == nil {
			return min(datagram+header, most)
		}
	}
	return datagram + header
}

// why says in words why a way was chosen.
func why(w *guide.Ways) string {
	switch w.Why {
	case path.First:
		return "nothing faster is proven yet"
	case path.Proven:
		return "it is the first direct way that answered"
	case path.Better:
		return "it is better than the way before"
	case path.Silent:
		return "the way before does not answer any more"
	case path.RelayLost:
		return "the relay of the way before is gone"
	case path.Moved:
		return "this machine's network has changed"
	case path.Agreed:
		return "the peer uses it, and it is as good as the way before"
	case path.Stale:
		return "the way before does not exist any more"
	}
	return w.Why.String()
}

// keepalive says how often the way in use is kept open while nothing else is sent, and why so often.
func keepalive(w *guide.Ways) (every time.Duration, why string) {
	measured := "nearly every router remembers for longer; this one's memory is not measured yet"
	switch {
	case w.Lifetime == 0:
	case w.Chosen.Direct() && w.Chosen.Remote.Addr().Is6():
		measured = "nearly every firewall remembers for longer; this one's memory is measured for IPv4 alone"
	default:
		measured = fmt.Sprintf("the router remembers for at least %v", w.Lifetime)
	}
	link := &w.Links[w.Chosen.Relay]
	switch {
	case w.Chosen.Direct() && w.Worn:
		return w.Keep, "a way was lost that had been idle for longer"
	case w.Chosen.Direct():
		return w.Keep, measured
	case link.Keep == 0: // it is down
		return 0, ""
	case link.Demands:
		return link.Keep, "the relay wants to hear from this machine so often"
	}
	return link.Keep, measured
}

func kindOf(w path.Way) string {
	switch {
	case w.Relay != 0:
		return local.PathRelay
	case w.Direct():
		return local.PathDirect
	}
	return local.PathIdle
}

// relayName is what people call a relay.
func relayName(s *engine.Status, id ident.Relay) string {
	for _, r := range s.Relays {
		if r.ID == id {
			return cmp.Or(r.Name, id.String())
		}
	}
	return id.String()
}

// ago is the time of day so long ago; nil for 0.
func ago(d time.Duration) *time.Time {
	if d == 0 {
		return nil
	}
	return instant(time.Now().Add(-d))
}

// taken tells which way a peer's packets take at the moment.
func taken(s *engine.Status, t *target) (kind, relay string, at *netip.AddrPort) {
	if g := s.Guide(); g != nil {
		if w, ok := g.Ways(t.key); ok {
			if w.Chosen.Relay != 0 {
				return local.PathRelay, relayName(s, w.Links[w.Chosen.Relay].Relay), nil
			}
			if w.Chosen.Direct() {
				return local.PathDirect, "", &w.Chosen.Remote
			}
			return local.PathIdle, "", nil
		}
	}
	if live, ok := s.Live()[t.key]; ok && live.Endpoint.IsValid() {
		return local.PathDirect, "", &live.Endpoint
	}
	return local.PathIdle, "", nil
}
