// Package local is the door to the daemon on the same machine: REST and JSON over a Unix socket (a named pipe on Windows). It
// holds the schema, the operations, the client and the watch stream; the daemon serves it.
//
// Every answer carries "schema", which rises when the meaning of a field changes; fields are only ever added within one schema.
package local

import (
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/version"
)

// Schema is the version of every answer's layout.
const Schema = 1

// Level is what an operation asks of its caller: read is for every local user (unless local_read=group), operate for root and
// the group cvlan, admin for root.
type Level string

// The levels, each including those before.
const (
	Read    Level = "read"
	Operate Level = "operate"
	Admin   Level = "admin"
)

// State says how far a membership is.
type State string

// The states of a membership.
const (
	Down       State = "down"       // switched off by a person
	Starting   State = "starting"   // coming up
	Pending    State = "pending"    // waits for approval by an admin
	Up         State = "up"         // tunnel up, controller connected
	Offline    State = "offline"    // tunnel up with the last map, controller away
	NeedsLogin State = "needs-join" // removed, cloned or expired: a new join is needed
	Failed     State = "failed"     // cannot come up; Problem says why
)

// Status is the daemon's whole state, as `cvlan status` shows it and as the watch stream sends it at every change.
type Status struct {
	Schema   int          `json:"schema"`
	Daemon   version.Info `json:"daemon"`
	Since    time.Time    `json:"since"`
	FIPS     bool         `json:"fips,omitempty"` // it speaks IPsec alone, with algorithms of the Go Cryptographic Module in FIPS mode
	Networks []Network    `json:"networks"`
}

// Network is one membership.
type Network struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Tenant     string         `json:"tenant"`
	Domain     string         `json:"domain"`
	State      State          `json:"state"`
	Problem    *Problem       `json:"problem,omitempty"`
	Warnings   []Problem      `json:"warnings,omitempty"`
	Self       Node           `json:"self"`
	Interface  string         `json:"interface,omitempty"`
	Port       uint16         `json:"port,omitempty"`
	MTU        int            `json:"mtu,omitempty"`
	Ranges     []netip.Prefix `json:"ranges"`
	Closed     bool           `json:"closed"`
	Policy     Policy         `json:"policy"`
	Controller Controller     `json:"controller"`
	Relay      *OwnRelay      `json:"relay,omitempty"`
	Routes     []PeerRoute    `json:"routes,omitempty"` // behind peers
	Offers     []Offer        `json:"offers,omitempty"` // behind this machine
	Exit       *Exit          `json:"exit,omitempty"`   // through which this machine's other traffic leaves; absent: through none
	Exits      []ExitPeer     `json:"exits,omitempty"`  // that there are
	Peers      []Peer         `json:"peers"`
}

// OwnRelay is the relay of its tenant that this machine is.
type OwnRelay struct {
	Name  string `json:"name"`
	Fault string `json:"fault,omitempty"` // why it does not run now; it is tried again
}

// Problem says what is wrong, why, and what to do.
type Problem struct {
	Code string `json:"code"` // stable, kebab-case
	What string `json:"what"`
	Hint string `json:"hint,omitempty"`
}

// Policy is what this machine's filter applies, and what has come of it since the daemon started.
type Policy struct {
	Version uint64 `json:"version"` // of the network's policy that the rules are from; 0: the filter has no rules, and nothing passes
	Flows   int    `json:"flows"`   // that are known now
	Denied  uint64 `json:"denied"`  // packets, or trains of them, in both directions
}

// Node names a machine.
type Node struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
	User      string       `json:"user,omitempty"` // its owner; absent if it has tags, or none
	Tags      []string     `json:"tags,omitempty"`
	Key       string       `json:"key"` // WireGuard public key
}

// Controller is the state of the control session.
type Controller struct {
	Address     string     `json:"address"`
	Connected   bool       `json:"connected"`
	Transport   string     `json:"transport,omitempty"` // quic, tcp
	Proxy       string     `json:"proxy,omitempty"`     // host:port of the HTTP proxy that it goes through
	Since       *time.Time `json:"since,omitempty"`
	LastContact *time.Time `json:"last_contact,omitempty"`
	Problem     string     `json:"problem,omitempty"`
	CertUntil   *time.Time `json:"certificate_until,omitempty"`
	CrossUntil  *time.Time `json:"cross_until,omitempty"` // until when those who know only a company's root believe it; absent: they do not
	MapVersion  uint64     `json:"map_version"`
}

// PlainPeer is the Kind of a WireGuard device without an agent.
const PlainPeer = "plain"

// Peer is another node of the network, or a plain device, and the path to it.
type Peer struct {
	Node
	Kind          string           `json:"kind,omitempty"` // plain; absent: a node
	Online        bool             `json:"online"`         // has a live session with the controller; a plain device never has
	LastSeen      *time.Time       `json:"last_seen,omitempty"`
	Protocol      string           `json:"protocol"`           // wireguard, ipsec: by which packets leave now, or would
	Cipher        string           `json:"cipher,omitempty"`   // of the present session
	Chosen        string           `json:"chosen,omitempty"`   // by which packets are to leave: Protocol, or what it is about to become
	Why           string           `json:"why,omitempty"`      // Chosen was chosen
	Closed        string           `json:"closed,omitempty"`   // why nothing may pass, though rules may allow it: the two have not the protocol that it takes
	Path          string           `json:"path"`               // direct, relay, idle (no session yet)
	Relay         string           `json:"relay,omitempty"`    // name of the relay that the path leads through
	Endpoint      *netip.AddrPort  `json:"endpoint,omitempty"` // operate level only
	Candidates    []netip.AddrPort `json:"candidates,omitempty"`
	LastHandshake *time.Time       `json:"last_handshake,omitempty"`
	RxBytes       uint64           `json:"rx_bytes"`
	TxBytes       uint64           `json:"tx_bytes"`
}

// MaxJoinTime is for how long a controller may be without an answer when one joins.
const MaxJoinTime = time.Hour

// UpRequest brings memberships up: with a join key, a new one; else the one named, or all. What is not named is not changed.
type UpRequest struct {
	JoinKey   string `json:"join_key,omitempty"`
	Network   string `json:"network,omitempty"`   // name or id
	Hostname  string `json:"hostname,omitempty"`  // only with JoinKey: the name to ask for
	Interface string `json:"interface,omitempty"` // only with JoinKey: name of the TUN device
	Port      uint16 `json:"port,omitempty"`      // only with JoinKey: UDP port; 0: 41641 or a free one
	Transport string `json:"transport,omitempty"` // only with JoinKey: auto, quic, tcp
	// TimeoutMS, only with JoinKey, is for how long the controller may be without an answer before that is said. 0: 20,000; at most MaxJoinTime.
	TimeoutMS int `json:"timeout_ms,omitempty"`
}

// DownRequest switches memberships off: the one named, or all.
type DownRequest struct {
	Network string `json:"network,omitempty"`
}

// LogoutRequest leaves a network for good: the controller deletes this machine's node, and the daemon its keys. Without Network it is the only one.
type LogoutRequest struct {
	Network string `json:"network,omitempty"`
	// Local keeps it from the controller: for a copy of a machine, whose node the other machine goes on being.
	Local bool `json:"local,omitempty"`
}

// LoggedOut answers logout. This machine has no keys of that network any more.
type LoggedOut struct {
	Schema  int    `json:"schema"`
	Network string `json:"network"` // name; of one that was never connected the identifier
	ID      string `json:"id"`
	Node    string `json:"node"` // its identifier; "" if even that could not be read
	// Deleted says that the controller has deleted the node; else it is in the controller's list still, for the reason that Problem tells.
	Deleted bool     `json:"deleted"`
	Problem *Problem `json:"problem,omitempty"`
}

// Networks answers up and down: the memberships concerned, as they are now.
type Networks struct {
	Schema   int       `json:"schema"`
	Networks []Network `json:"networks"`
	// Unused says that the join key was not used, because this machine is in its network already.
	Unused bool `json:"join_key_unused,omitempty"`
}

// PingRequest asks for one echo to a peer.
type PingRequest struct {
	Peer      string `json:"peer"` // name, name.network, address or id
	Network   string `json:"network,omitempty"`
	Size      int    `json:"size,omitempty"`       // payload bytes, 0 to 65,000; 0: 56
	TimeoutMS int    `json:"timeout_ms,omitempty"` // 0: 2000; at most 60,000
	// Via asks for one kind of path instead of that in use: "relay". The peer's daemon answers then, not its system, and Size does not count.
	Via string `json:"via,omitempty"`
}

// Pong answers it.
type Pong struct {
	Schema   int             `json:"schema"`
	Peer     string          `json:"peer"`
	Network  string          `json:"network"`
	Address  netip.Addr      `json:"address"`
	RTT      time.Duration   `json:"rtt_ns"`
	Path     string          `json:"path"` // direct, relay
	Relay    string          `json:"relay,omitempty"`
	Endpoint *netip.AddrPort `json:"endpoint,omitempty"`
	Protocol string          `json:"protocol"`
}
