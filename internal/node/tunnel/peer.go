package tunnel

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/core/path"
)

// Bounds.
const (
	// MaxCandidates is how many addresses of one peer are tried; more are ignored.
	MaxCandidates = path.MaxCandidates
	// MaxAllowed is how many ranges one peer may have.
	MaxAllowed = 4096
	// MaxPeers is how many peers a tunnel takes.
	MaxPeers = 1 << 16
	// MaxKeepalive is what WireGuard's own tools accept.
	MaxKeepalive = 65535 * time.Second
)

// Peer is one peer of a tunnel. One that never spoke is this struct and its routes; what only a conversation needs is behind
// pointers.
type Peer struct {
	key  key.WGPublic
	node ident.Node // zero: none of ours

	// What workers read and write.
	sealer atomic.Pointer[sealing]
	path   atomic.Pointer[Path] // where datagrams go; nil: nowhere yet
	heard  atomic.Pointer[Path] // where the last authentic datagrams came from
	rx, tx flow
	drops  atomic.Pointer[tally] // nil: none yet
	lively atomic.Bool           // the owner looks at what flows
	flags  atomic.Uint32         // bits by which something was received since the owner looked last, and sealsIPsec

	waiting waiting

	// What only the owner touches.
	secrets   *secrets // nil: none
	keepalive time.Duration
	allowed   []netip.Prefix
	picker    path.Picker
	opening   []byte             // the latest message that opens a session, while it is unanswered
	mark      any                // the guide's own
	speeches  *[protocols]speech // nil: none was ever spoken
	guided    bool               // the guide looks after it
	partial   bool               // PeerConfig.TakesPartial
	outslept  bool               // its session is from before a long sleep: it is not used, and the transport does not know
	parting   bool               // the owner looks whether the protocol that is not chosen is in use
	protocol  Class              // that is chosen: WireGuard or IKE
	pulse     *pulse             // nil: nothing has flowed lately
}

// sealing is what a peer's packets are sealed with.
type sealing struct {
	Session
	partial bool // trains leave with partial checksums
}

func (p *Peer) sealing(s Session) *sealing {
	t, says := s.(Trusting)
	return &sealing{s, says && t.TakesPartial() || p.partial && s.Class() == WireGuardData}
}

// flow counts one direction.
type flow struct{ packets, bytes atomic.Uint64 }

func (f *flow) add(packets, bytes int) {
	f.packets.Add(uint64(packets))
	f.bytes.Add(uint64(bytes))
}

// Key is the peer's name.
func (p *Peer) Key() key.WGPublic { return p.key }

// Node is the identifier that the peer was configured with; zero: none.
func (p *Peer) Node() ident.Node { return p.node }

// Preshared is the pair's symmetric key; zero: none.
func (p *Peer) Preshared() (k [32]byte) {
	if p.secrets != nil {
		k = p.secrets.current
	}
	return k
}

// Guided reports whether the tunnel's Guide looks after the peer. Then no handshake goes without a preshared key.
func (p *Peer) Guided() bool { return p.guided }

// Previous is what Preshared was before; zero: nothing.
func (p *Peer) Previous() (k [32]byte) {
	if p.secrets != nil {
		k = p.secrets.previous
	}
	return k
}

// secrets are what the pair mixes into its handshakes.
type secrets struct{ current, previous [32]byte }

// share sets them, and reports whether they have changed.
func (p *Peer) share(current, previous [32]byte) bool {
	if p.Preshared() == current && p.Previous() == previous {
		return false
	}
	p.secrets = &secrets{current, previous}
	return true
}

// Mark is what SetMark was given last, nil: nothing. Both are for the guide alone.
func (p *Peer) Mark() any { return p.mark }

// SetMark keeps something with the peer.
func (p *Peer) SetMark(v any) { p.mark = v }

// Keepalive is how long the tunnel may be silent; 0: for ever.
func (p *Peer) Keepalive() time.Duration { return p.keepalive }

func (p *Peer) drop(r Reason, n int) {
	t := p.drops.Load()
	for t == nil {
		p.drops.CompareAndSwap(nil, new(tally))
		t = p.drops.Load()
	}
	t.add(r, n)
}

// clean returns a copy of a configuration as it is kept: ranges masked and without duplicates, candidates bounded. It refuses what cannot
// be a peer of the node with the key self.
func (c PeerConfig) clean(self key.WGPublic) (PeerConfig, error) {
	switch {
	case c.Key.IsZero():
		return c, fmt.Errorf("set a peer: it has no key")
	case c.Key == self:
		return c, fmt.Errorf("set the peer %s: its key is our own", c.Key.Short())
	case len(c.Allowed)+len(c.Besides) > MaxAllowed:
		return c, fmt.Errorf("set the peer %s: %d ranges, at most %d", c.Key.Short(), len(c.Allowed)+len(c.Besides), MaxAllowed)
	case c.Keepalive < 0 || c.Keepalive > MaxKeepalive:
		return c, fmt.Errorf("set the peer %s: a keepalive of %v; use 0 (off) to %v", c.Key.Short(), c.Keepalive, MaxKeepalive)
	}
	for _, a := range slices.Concat(c.Allowed, c.Besides) {
		if !a.IsValid() || a.Addr().Is4In6() || a.Addr().Zone() != "" {
			return c, fmt.Errorf("set the peer %s: %q is no address range", c.Key.Short(), a)
		}
	}
	c.Allowed, c.Besides = masked(c.Allowed), masked(c.Besides)
	c.Candidates = c.Candidates[:min(len(c.Candidates), MaxCandidates)]
	return c, nil
}

// masked returns ranges without what is behind their length, in order, each once.
func masked(ranges []netip.Prefix) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(ranges))
	for _, a := range ranges {
		all = append(all, a.Masked())
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Clip(slices.Compact(all))
}

// waiting holds packets for which there is no session yet.
type waiting struct {
	mu      sync.Mutex
	packets [][]byte
	gone    bool // the peer was removed: nothing waits any more
}
