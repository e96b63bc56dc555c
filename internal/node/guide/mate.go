package guide

import (
	"encoding/binary"
	"net/netip"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/logx"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/path"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/proto/disco"
)

// Peer is what the map says of a node, as far as it helps to find it.
type Peer struct {
	Key        key.WGPublic
	Node       ident.Node
	Home       ident.Relay // zero: none
	Candidates []disco.Candidate
}

// mate is a peer of the map. One that nothing is said to costs this, and entries in two tables.
type mate struct {
	tunnel *tunnel.Peer
	node   ident.Node // zero: the map has not been told yet
	index  uint64     // by which its messages are found
	where  packed
	*talk  // nil: nothing was ever said
}

// talk is what goes on with a peer.
type talk struct {
	id      path.Peer
	pair    *disco.Pair
	lanes   []relayed.Lane             // through relays to it, best first
	through [maxSlots + 1]*tunnel.Path // the same for the tunnel, by slot
	conns   [maxSlots + 1]uint32       // which connections carry the lanes that one does
	using   path.Way
	carries int      // datagrams of so many bytes pass the way in use; 0: not known
	met     bool     // we wanted the peer, or it has said something authentic
	held    bool     // the tunnel waits for the preshared key
	backlog [][]byte // sealed messages that wait for a way
}

func (m *mate) key() key.WGPublic { return m.tunnel.Key() }

// mateOf returns the mate of a peer that the tunnel has told of.
func mateOf(p *tunnel.Peer) *mate {
	m, _ := p.Mark().(*mate)
	return m
}

// find returns the mate with a key; nil: the tunnel has no such peer.
func (g *Guide) find(k key.WGPublic) *mate {
	p := g.host.Find(k)
	if p == nil {
		return nil
	}
	return mateOf(p)
}

// warm begins to speak with a peer. It reports whether that is possible.
func (g *Guide) warm(now mono.Time, m *mate) bool {
	if m.talk != nil {
		return true
	}
	pair, err := disco.NewPair(g.cfg.Private, m.key())
	if err == nil {
		err = g.secrets.Put(m.key())
	}
	if err != nil {
		g.cfg.Log.Warn("peer not spoken with", logx.Peer, m.key().Short(), logx.Err, err)
		return false
	}
	m.talk = &talk{pair: pair}
	if n := len(g.free); n > 0 {
		m.id, g.free = g.free[n-1], g.free[:n-1]
		g.talking[m.id] = m
	} else {
		m.id = path.Peer(len(g.talking))
		g.talking = append(g.talking, m)
	}
	g.lay(m, g.links.Lanes(m.node))
	g.reach(now, m)
	return true
}

// cool forgets what went on with a peer.
func (g *Guide) cool(now mono.Time, m *mate) {
	if m.talk == nil {
		return
	}
	g.finder.RemovePeer(now, m.id, &g.decisions)
	g.act(now)
	g.secrets.Remove(m.key())
	g.talking[m.id] = nil
	g.free = append(g.free, m.id)
	m.talk = nil
}

// maxBacklog bounds the messages that wait for a way; the oldest goes first.
const maxBacklog = 8

// wait keeps a message until there is a way.
func (t *talk) wait(datagram []byte) {
	if len(t.backlog) == maxBacklog {
		t.backlog = append(t.backlog[:0], t.backlog[1:]...)
	}
	t.backlog = append(t.backlog, append([]byte(nil), datagram...))
}

// packed is a list of candidates in as few bytes as they take: kind, port, length of the address, address.
type packed string

func pack(all []disco.Candidate) packed {
	var b []byte
	for _, c := range all[:min(len(all), disco.MaxAddresses)] {
		a := c.Addr.Addr().AsSlice()
		b = append(binary.BigEndian.AppendUint16(append(b, byte(c.Kind)), c.Addr.Port()), byte(len(a)))
		b = append(b, a...)
	}
	return packed(b)
}

func (p packed) candidates() (all []disco.Candidate) {
	for b := []byte(p); len(b) > 0; {
		n := int(b[3])
		a, _ := netip.AddrFromSlice(b[4 : 4+n])
		all = append(all, disco.Candidate{Kind: disco.CandidateKind(b[0]), Addr: netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[1:]))})
		b = b[4+n:]
	}
	return all
}
