package engine

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	core "github.com/cvlan/cvlan/internal/core/ike"
	"github.com/cvlan/cvlan/internal/core/relayed"
	"github.com/cvlan/cvlan/internal/node/guide"
	"github.com/cvlan/cvlan/internal/node/ike"
	"github.com/cvlan/cvlan/internal/node/session"
	"github.com/cvlan/cvlan/internal/node/tunnel"
	"github.com/cvlan/cvlan/internal/sys/osnet"
	"github.com/cvlan/cvlan/internal/sys/stream"
	"github.com/cvlan/cvlan/internal/sys/tun"
	"github.com/cvlan/cvlan/proto/control"
	"github.com/cvlan/cvlan/proto/control/pb"
)

// Config is what one membership's engine needs.
type Config struct {
	Membership session.Membership
	Identity   key.Identity
	WG         key.WGPrivate
	Transport  stream.Transport
	Software   *pb.Software // nil: this build's

	Cache []byte    // the map as Keep.Map was last given it; nil: none
	Heard time.Time // likewise

	Interface string // the TUN device's name as its owner wants it; "": LastName, or any
	Port      uint16 // the UDP port as its owner wants it; 0: LastPort, or any
	LastName  string
	LastPort  uint16
	LastHome  ident.Relay // where the node was at home
	MTU       int         // of the TUN device, in bytes; 0: tun.DefaultMTU

	Speaks  control.Tunnels // the tunnel protocols that the node may speak; zero: all
	Prefers control.Tunnels // which of them it would rather speak; zero: it does not mind
	Profile string          // IKE's algorithms; "": crypt.Modern
	Kernel  bool            // the kernel is to carry ESP where it can

	Offers       []netip.Prefix // what is behind this node and others may reach through it; masked, in order, each once
	NoRoutes     bool           // use nothing that is behind others
	NoMasquerade bool           // pass packets on with the addresses that they have

	Exit    string // through which node what is for the internet leaves, by name or identifier; "": as it would without us
	ExitLAN bool   // with an exit the local networks stay in reach

	Keep    Keep
	Outside Outside
	Ledger  *Ledger
	Log     *slog.Logger
	// Changed is told after Status has changed. It must not block.
	Changed func()
	// Relay is told which relay this node is to be beside what else it does, when that changes; the zero Relay: none any more. It must not block. nil: the
	// node is none, whatever the map says.
	Relay func(control.Relay)
}

// Keep is where the engine keeps what must survive. An error is logged and shown as a warning; the engine goes on with what is in
// memory and offers it again.
type Keep interface {
	Map(encoded []byte, heard time.Time) error
	Chain(chain [][]byte) error
	Addrs(addrs []string) error
	// Came keeps what came up: the network's and the tenant's name, the interface and the port.
	Came(network, tenant, iface string, port uint16) error
	// Home keeps the relay where the node is at home.
	Home(ident.Relay) error
}

// TunnelConfig is what a tunnel is made of.
type TunnelConfig struct {
	Private key.WGPrivate
	Port    uint16 // UDP; 0: any
	TUN     tun.Device
	Filter  tunnel.Filter    // what every packet has to pass
	Now     func() time.Time // the time of day as far as it can be trusted
	Log     *slog.Logger

	// What its protocols need, see Protocols.
	Speaks    control.Tunnels
	Profile   string
	Directory ike.Directory
	Tell      func(core.Event) // hears what IKE does
	Kernel    bool             // the kernel is to carry ESP where it can

	// What its guide needs, if it is to have one.
	Self    ident.Node
	Home    ident.Relay    // where the node was at home last time; zero: nowhere
	Overlay []netip.Prefix // the network's own ranges
	// Credentials is what the node shows to relays, and by which it knows them.
	Credentials func() session.Credentials
	// Report is told where the node can be reached, Punch asks the controller for a common start with a peer. Neither blocks.
	Report func(guide.Reach)
	Punch  func(ident.Node)
}

// Tunnel is what an engine wants of its tunnel; it is a *tunnel.Tunnel.
type Tunnel interface {
	SetPeer(tunnel.PeerConfig) error
	RemovePeer(key.WGPublic)
	Wake()
	Resume(slept time.Duration)
	Peers() []tunnel.PeerState
	// Traffic is how many packets have gone to a peer and come from it.
	Traffic(key.WGPublic) (sent, received uint64)
	State() tunnel.State
	Consult(protocol tunnel.Class, f func(now mono.Time, tr tunnel.Transport, find func(key.WGPublic) *tunnel.Peer, out *tunnel.Out)) bool
	SetSources(own []netip.Addr, behind ...netip.Prefix)
	// Review tells that the filter lets other things pass than before.
	Review()
	// SetKernel has the kernel carry ESP where it can, or no more; Kernel reports whether it may, and why not, if it was to.
	SetKernel(bool)
	Kernel() (on bool, why error)
	// SetMTU changes the MTU of the inside, SetPort the UDP port; 0: any.
	SetMTU(int)
	SetPort(uint16) error
	// Guide is who finds the ways to nodes; nil: they are tried at every address that the map knows.
	Guide() Guide
	Port() uint16
	Done() <-chan struct{}
	Close() error
}

// Guide is what an engine wants of a guide; it is a *guide.Guide.
type Guide interface {
	SetPeer(guide.Peer)
	SetRelays(named []control.Relay, all []relayed.Relay, servers []netip.AddrPort)
	SetOwn(hosts []netip.Addr, prefixes []netip.Prefix)
	Punched(ident.Node)
	Ways(key.WGPublic) (guide.Ways, bool)
	Using() map[key.WGPublic]ident.Relay
	Links() []relayed.Status
	Lifetime() time.Duration
	Probe(ctx context.Context, peer key.WGPublic) (time.Duration, error)
}

// Outside is the world as the engine touches it; a simulation brings its own.
type Outside struct {
	Host osnet.Host
	// TUN makes a device; "" asks for the first free name.
	TUN func(name string, mtu int) (tun.Device, error)
	// Tunnel makes a tunnel on a device, which belongs to it from then on: it closes it, also when it fails.
	Tunnel func(TunnelConfig) (Tunnel, error)
	Dial   session.Dialer
	// Resolve finds the addresses of a host's name; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	Local   func() time.Time                  // nil: time.Now
	Random  func(time.Duration) time.Duration // nil: math/rand
}
