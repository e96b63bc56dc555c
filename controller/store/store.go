// Package store keeps the controller's hard state: what must survive, in domain terms, durable before it is acknowledged.
//
// A tenant's data is reached only through a handle for that tenant, which adds the tenant to every statement: no caller can ask
// for another's. Writes go through one writer that commits what is waiting in one transaction (group commit) and tells, in
// the order of versions, what was committed before it acknowledges. Reads never wait for writes.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cvlan/cvlan/internal/base/ident"
	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/proto/control"
)

// Errors that callers branch on. They arrive wrapped in a sentence that names the thing.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	ErrConflict = errors.New("not possible now") // another version is current than was given, or something else is in the way: what, is said behind it
	ErrReadOnly = errors.New("the database cannot be written now")
	ErrNewer    = errors.New("the database was written by a newer version")
	ErrLimit    = errors.New("limit reached")
	ErrInvalid  = errors.New("not valid") // what was asked for can never be
	// Which thing was not found, where an operation names several. Each is ErrNotFound too.
	ErrNoUser  = fmt.Errorf("%w", ErrNotFound)
	ErrNoGroup = fmt.Errorf("%w", ErrNotFound)
	// The reasons why a join key does not admit.
	ErrKeyUnknown = errors.New("join key unknown")
	ErrKeyExpired = errors.New("join key expired")
	ErrKeyUsedUp  = errors.New("join key used up")
	ErrKeyRevoked = errors.New("join key revoked")
)

// Tenant is the unit of isolation.
type Tenant struct {
	ID      ident.Tenant
	Name    string // label, unique in the store
	Created time.Time
	Hard    uint64 // version of its newest change
}

// Network is a range of addresses in a tenant. What passes in it, its Policy says.
type Network struct {
	ID     ident.Network
	Name   string       // label, unique in the tenant
	Range4 netip.Prefix // either may be invalid, not both
	Range6 netip.Prefix
	// Protocol is what two of its nodes speak that could speak either; zero: it is left to them.
	Protocol control.Tunnels
	Created  time.Time
	Version  uint64
}

// Node is a machine in a network.
type Node struct {
	ID        ident.Node
	Network   ident.Network
	Name      string // label, unique in the network
	Identity  key.IdentityPublic
	WG        key.WGPublic
	Address4  netip.Addr
	Address6  netip.Addr
	User      string   // its owner's login, fixed when it joined; empty: none
	Tags      []string // "tag:web"; a node that has one is nobody's to policy, whoever owns it
	Pending   bool     // waits for approval: sees nobody and is shown to nobody
	Ephemeral bool     // goes 30 minutes after its session ended
	JoinedBy  ident.JoinKey
	Created   time.Time
	LastSeen  time.Time // as of the last flush; the hub knows better
	CertUntil time.Time // NotAfter of its newest certificate
	OS        string
	Software  string            // version of its daemon
	Attrs     map[string]string // what it reports, for postures; see Report
	Offered   []netip.Prefix    // what it offers to forward to, in the order of control.CompareRoutes; see Routes
	Approved  []netip.Prefix    // which of these, and of those that it may offer, an admin has approved
	Granted   []netip.Prefix    // which of these the policy's autoApprovers approve
	Refused   []netip.Prefix    // which an admin has revoked: the policy does not approve them again
	// Record is what the node is to sign (control.Record, encoded), Signature what it signed last: Record, or while Signed is not
	// empty that older record, which others see until the node has signed the new one. Both are empty while it has never signed.
	Record    []byte
	Signature []byte
	Signed    []byte
	Revision  uint64
	Version   uint64
}

// JoinKey admits nodes. Its secret is shown once, when it is made; only the hash is kept.
type JoinKey struct {
	ID        ident.JoinKey
	Network   ident.Network
	Hash      [32]byte
	Uses      int // how many nodes it may admit; 0: without limit
	Used      int
	Expires   time.Time // zero: never
	Ephemeral bool
	Approve   bool   // its nodes wait for approval
	User      string // whose its nodes are; empty: nobody's
	Tags      []string
	Revoked   bool
	Created   time.Time
	CreatedBy string
}

// APIKey opens the admin API. Tenant zero is the provider's key, which opens all of them.
type APIKey struct {
	ID      ident.APIKey
	Tenant  ident.Tenant
	Name    string
	Hash    [32]byte
	Scopes  []string
	User    string    // for whom it acts, by login: it may assign only what that user may; "": for nobody
	Expires time.Time // zero: never
	Created time.Time
	Revoked bool
}

// Authority is a certificate authority's certificate and key, DER and PKCS #8 DER. Tenant zero is the root.
type Authority struct {
	Tenant      ident.Tenant
	Certificate []byte
	Key         []byte
	Cross       [][]byte // DER: another authority's certificate for the same key, those above it, a root last; empty: there are none
}

// Event is one line of a tenant's audit trail, chained by hash (see package audit).
type Event struct {
	Seq    uint64
	At     time.Time
	Actor  string // API key's id and name, "node <id>", or "controller"
	Action string // noun.verb: "node.approve"
	Target string
	Detail string // JSON, small, no secrets
	Prev   [32]byte
	Hash   [32]byte
}

// Meta is what there is one of.
type Meta struct {
	Controller  ident.Controller
	TrustDomain string // random label, made at first start
	Epoch       uint64 // changes when a backup is restored
	Created     time.Time
}

// Load is a tenant as the hub begins with it.
type Load struct {
	Tenant     Tenant
	Networks   []Network
	Nodes      []Node      // in the order of versions
	Plains     []Plain     // in the order of versions
	Users      []User      // in the order of versions
	Policies   []Policy    // those in force, one a network, in the order of versions
	Tombstones []Tombstone // in the order of versions
	Floor      uint64      // version of the newest deletion that has been forgotten; 0: none has
}

// Tombstone is what is left of a node, or of a plain device, for a while, so that nodes which were away hear of its deletion.
type Tombstone struct {
	Node    ident.Node
	Plain   ident.Plain
	Nodes   []ident.Node // those that knew the plain device
	Network ident.Network
	Version uint64
	At      time.Time
}

// Change is one thing that a commit changed, as the hub must tell it. One of the first nine is set.
type Change struct {
	Network      *Network      // created or changed
	Gone         ident.Network // deleted, with Version
	Node         *Node         // created or changed
	Removed      *Node         // deleted, At; its Version is the deletion's
	Plain        *Plain        // created or changed
	RemovedPlain *Plain        // deleted, At; its Version is the deletion's
	User         *User         // created or changed
	UserGone     string        // login of one that was deleted, with Version
	Policy       *Policy       // now in force; the first one of a network follows the network, the last one goes with it
	Version      uint64
	At           time.Time
}

// Sink hears what was committed, in order, from the writer's goroutine, before the caller's method returns. It must not call
// the store's writing methods and must not block for long.
type Sink func(tenant ident.Tenant, changes []Change)

// Store is the whole database. Only tenants, the authority and keys by id are reached without a tenant's handle.
type Store interface {
	Meta() Meta
	// Listen names the sink; it is set before the first write.
	Listen(Sink)
	CreateTenant(ctx context.Context, actor, name string, intermediate Authority, id ident.Tenant) (Tenant, error)
	Tenants(ctx context.Context) ([]Tenant, error)
	TenantByName(ctx context.Context, name string) (Tenant, error)
	// Authority returns the root (tenant zero) or a tenant's intermediate; SetAuthority writes it, once.
	Authority(ctx context.Context, id ident.Tenant) (Authority, error)
	SetAuthority(ctx context.Context, a Authority) error
	// APIKey and JoinKeyTenant find whose key it is: the id is random, the secret is checked by the caller.
	APIKey(ctx context.Context, id ident.APIKey) (APIKey, error)
	JoinKeyTenant(ctx context.Context, id ident.JoinKey) (ident.Tenant, error)
	// CreateRelay gives the relay an id if it has none; names are unique in the store, and a node is one relay at most (ErrConflict). DeleteRelay takes its right to be one.
	CreateRelay(ctx context.Context, actor string, r Relay) (Relay, error)
	Relays(ctx context.Context) ([]Relay, error) // in order of creation
	Relay(ctx context.Context, id ident.Relay) (Relay, error)
	RelayByName(ctx context.Context, name string) (Relay, error)
	DeleteRelay(ctx context.Context, actor string, id ident.Relay) error
	// RedeemRelay binds the relay to an identity key, once: with another one the key is used up.
	RedeemRelay(ctx context.Context, id ident.Relay, secret key.Secret, identity key.IdentityPublic) (Relay, error)
	// RelayRenewed notes the end of a new certificate; RelayReported what the relay says of itself, which is nobody's decision and
	// leaves no event.
	RelayRenewed(ctx context.Context, id ident.Relay, until time.Time) error
	RelayReported(ctx context.Context, id ident.Relay, r RelayReport) error
	// RemovedNodes returns the nodes whose certificates may outlive them, and those that wait for approval.
	RemovedNodes(ctx context.Context) ([]RemovedNode, error)
	// AddRelayed adds what a relay has counted since it was asked last to what was carried today; the same counts again add nothing.
	// Relayed returns what was carried since a day.
	AddRelayed(ctx context.Context, m Metered) error
	Relayed(ctx context.Context, since time.Time) ([]Usage, error)
	// For returns the handle of one tenant. It does not check that the tenant exists.
	For(id ident.Tenant) Handle
	// Writable reports nil, or why writes fail now (ErrReadOnly, wrapped); it tries again by itself.
	Writable() error
	// Backup writes a consistent copy while the store is in use; path must not exist.
	Backup(ctx context.Context, path string) error
	Close() error
}

// Handle is everything that can be done to one tenant's data. actor says who did it, for the audit trail, which is
// written in the same transaction by every method that changes something, Seen apart. Lists are in order of creation.
type Handle interface {
	Tenant(ctx context.Context) (Tenant, error)
	// Load returns what the hub begins with, read in one moment.
	Load(ctx context.Context) (Load, error)

	// CreateNetwork gives the network an id and, if it has none, a free range of each family, and puts FirstPolicy in force.
	CreateNetwork(ctx context.Context, actor string, n Network, open bool) (Network, error)
	// SetNetworkProtocol says what nodes of the network speak; zero leaves it to them. What it is already is no change.
	SetNetworkProtocol(ctx context.Context, actor string, id ident.Network, to control.Tunnels, ifVersion uint64) (Network, error)
	DeleteNetwork(ctx context.Context, actor string, id ident.Network, ifVersion uint64) error // ErrConflict while it has nodes or plain devices
	Networks(ctx context.Context) ([]Network, error)
	Network(ctx context.Context, id ident.Network) (Network, error)
	NetworkByName(ctx context.Context, name string) (Network, error)

	// Policy returns the one in force, PolicyAt one by its number, PolicyHistory those below a number (0: all) from the newest on, without
	// their texts. PutPolicy puts a text in force as the next number; the text that is in force already changes nothing. ifMatch is the ETag that
	// must be in force, or else ErrConflict, which names the present one; empty: whatever it is.
	Policy(ctx context.Context, network ident.Network) (Policy, error)
	PoliciesInForce(ctx context.Context) ([]Policy, error) // of all networks, without their texts
	PolicyAt(ctx context.Context, network ident.Network, number uint64) (Policy, error)
	PolicyHistory(ctx context.Context, network ident.Network, below uint64, limit int) ([]Policy, error)
	PutPolicy(ctx context.Context, network ident.Network, text []byte, author, comment, ifMatch string) (Policy, error)

	// CreateUser refuses a login that there is with ErrExists; PutUser makes the user or changes role and groups. The groups must exist.
	CreateUser(ctx context.Context, actor string, u User) (User, error)
	PutUser(ctx context.Context, actor string, u User, ifVersion uint64) (User, error)
	// DeleteUser revokes the join keys that were made for the user. While the user owns nodes without tags it is ErrConflict, unless force is
	// set: then they are deleted too. Nodes with tags stay, as nobody's.
	DeleteUser(ctx context.Context, actor, login string, force bool, ifVersion uint64) (Leaver, error)
	Users(ctx context.Context, after string, limit int) ([]User, error) // those after a login, in the order of logins
	User(ctx context.Context, login string) (User, error)
	// CreateGroup, DeleteGroup: the members of a group that is deleted leave it. Members that are in the group already, or are not, change nothing.
	CreateGroup(ctx context.Context, actor, name string) (Group, error)
	DeleteGroup(ctx context.Context, actor, name string) error
	ChangeMembers(ctx context.Context, actor, group string, add, remove []string) (Group, error)
	Groups(ctx context.Context, after string, limit int) ([]Group, error) // those after a name, in the order of names
	Group(ctx context.Context, name string) (Group, error)
	Members(ctx context.Context, group, after string, limit int) ([]string, error) // those after a login, in the order of logins

	// CreateJoinKey and CreateAPIKey give the key an id if it has none.
	CreateJoinKey(ctx context.Context, actor string, k JoinKey) (JoinKey, error)
	RevokeJoinKey(ctx context.Context, actor string, id ident.JoinKey) error
	JoinKeys(ctx context.Context, network ident.Network) ([]JoinKey, error) // zero: of all networks

	// Admit redeems a join key for a node, all or nothing: checks the key, gives it a name (wish, or wish-2, …), addresses from the
	// network's ranges, an id, and counts the use. The same key and identity again return the same node, whatever has become of
	// the key. An identity or a WireGuard key that another node or plain device of the tenant uses is refused with ErrExists.
	Admit(ctx context.Context, a Admission) (Node, error)
	Nodes(ctx context.Context, network ident.Network) ([]Node, error) // zero: of all networks
	EphemeralNodes(ctx context.Context) ([]Node, error)               // of all networks
	OwnedNodes(ctx context.Context, user string) ([]Node, error)      // of all networks; those of one user
	Node(ctx context.Context, id ident.Node) (Node, error)
	NodesNamed(ctx context.Context, network ident.Network, name string) ([]Node, error)           // zero: of all networks
	ApproveNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) (Node, error) // ifVersion 0: whatever it is
	SuspendNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) (Node, error) // until it is approved again
	RenameNode(ctx context.Context, actor string, id ident.Node, name string, ifVersion uint64) (Node, error)
	// SetNodeTags replaces the node's tags. Whether they may be given is for the caller to know.
	SetNodeTags(ctx context.Context, actor string, id ident.Node, tags []string, ifVersion uint64) (Node, error)
	// ReportNode notes what the node says of itself, which is a change only if it is news.
	ReportNode(ctx context.Context, id ident.Node, r Report) (Node, error)
	// OfferRoutes notes what the node offers to forward to, which is a change only if it is news. GrantRoutes notes what of it the policy's autoApprovers
	// approve, all of it; what is not offered, or refused, is left out. ApproveRoutes is an admin's word.
	OfferRoutes(ctx context.Context, id ident.Node, offered []netip.Prefix) (Node, error)
	GrantRoutes(ctx context.Context, id ident.Node, granted []netip.Prefix) (Node, error)
	ApproveRoutes(ctx context.Context, actor string, id ident.Node, a Approval, ifVersion uint64) (Node, error)
	// DeleteNode also takes the node off the lists of plain devices.
	DeleteNode(ctx context.Context, actor string, id ident.Node, ifVersion uint64) error
	// SignNode stores the node's signature, and record, if that differs from the current one in nothing but what the node speaks; else
	// ErrConflict.
	SignNode(ctx context.Context, id ident.Node, record, signature []byte) (Node, error)
	// Seen notes the last time that nodes were seen; it changes no version and tells no sink.
	Seen(ctx context.Context, at map[ident.Node]time.Time) error

	// CreatePlain gives a plain device an id and addresses from its network's ranges. A name that a node or another device of the
	// network has, or a WireGuard key that one of the tenant has, is refused with ErrExists.
	CreatePlain(ctx context.Context, actor string, p Plain) (Plain, error)
	Plains(ctx context.Context, network ident.Network) ([]Plain, error) // zero: of all networks
	Plain(ctx context.Context, id ident.Plain) (Plain, error)
	DeletePlain(ctx context.Context, actor string, id ident.Plain, ifVersion uint64) error

	CreateAPIKey(ctx context.Context, actor string, k APIKey) (APIKey, error)
	RevokeAPIKey(ctx context.Context, actor string, id ident.APIKey) error
	APIKeys(ctx context.Context) ([]APIKey, error)

	Certificates

	Events(ctx context.Context, after uint64, limit int) ([]Event, error)
}

// Admission is a machine's request to join.
type Admission struct {
	Key      ident.JoinKey
	Secret   key.Secret
	Wish     string // hostname, already a label; "" for node
	Identity key.IdentityPublic
	WG       key.WGPublic
	Runs     Report
	Nodes    []ident.Node // that the machine says to be already; at most MaxClaims
}

// MaxClaims is how many nodes a machine may say to be already.
const MaxClaims = 64

// MemberError says that a machine is in a join key's network already. The key was not used.
type MemberError struct{ Node ident.Node }

// Error implements error.
func (e *MemberError) Error() string {
	return "the machine is node " + e.Node.String() + " of this network already"
}

// Leaver is what went with a user.
type Leaver struct {
	Nodes   int // deleted
	Orphans int // with tags, nobody's now
	Keys    int // revoked
}
