package hub

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/sys/stream"
)

// Live tells an admin what is known of a node now.
type Live struct {
	Online    bool
	LastSeen  time.Time // zero while it is online
	Since     time.Time // of the session, if there is one
	Transport stream.Transport
	Remote    string
	Endpoints []netip.AddrPort
}

// Live reports the live state of a node; of an unknown one, the zero Live.
func (h *Hub) Live(id ident.Tenant, node ident.Node) Live {
	t := h.known(id)
	if t == nil {
		return Live{}
	}
	return t.live(node)
}

// Sessions counts live sessions, for health and figures.
func (h *Hub) Sessions() int {
	n := 0
	for _, t := range h.all() {
		t.mu.Lock()
		n += len(t.sessions)
		t.mu.Unlock()
	}
	return n
}

func (t *tenant) live(id ident.Node) Live {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.nodes[id]
	if known == nil {
		return Live{}
	}
	l := Live{Online: known.soft.Online, LastSeen: known.soft.LastSeen, Endpoints: slices.Clone(known.soft.Endpoints)}
	if n := t.sessions[id]; n != nil {
		i := n.stream.Info()
		l.Since, l.Transport, l.Remote = n.since, i.Transport, i.Remote.String()
	}
	return l
}
