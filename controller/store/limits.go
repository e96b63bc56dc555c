package store

import "time"

// Bounds of what a store holds; beyond them its methods return ErrLimit.
const (
	MaxTenants  = 10_000
	MaxNetworks = 1_000   // a tenant
	MaxNodes    = 200_000 // a network, plain devices included; fewer when its range is smaller
	MaxPlains   = 1_000   // plain devices a network
	MaxKeys     = 10_000  // join keys a tenant, and as many API keys
	MaxScopes   = 64      // an API key
	MaxRelays   = 256
	MaxUsers    = 200_000 // a tenant
	MaxGroups   = 10_000  // a tenant
	// MaxUserGroups is how many groups one user may be in.
	MaxUserGroups = 256
	// MaxComment bounds what is said of a version of a policy, in runes.
	MaxComment = 500
	// A network remembers its newest versions of its policy, at most MaxPolicies and at most so many that they have MaxPolicyBytes together; the
	// current one always.
	MaxPolicies    = 1_000
	MaxPolicyBytes = 64 << 20
	// MaxPlainNodes is how many nodes may be named for a plain device.
	MaxPlainNodes = 64

	maxText = 64 // what a machine says of itself, or a scope; in runes
)

// How long what is over is remembered.
const (
	// TombstoneLife and MaxTombstones bound the deletions that a tenant remembers. A node that was away for longer gets a snapshot.
	TombstoneLife = 7 * 24 * time.Hour
	MaxTombstones = 10_000
	// CertLife is longer than any node's certificate lives; so long a node that was deleted is remembered for relays.
	CertLife = 61 * 24 * time.Hour
	// DeadKeyLife is how long a key that is expired, used up or revoked stays, to be listed and to say why it does not admit.
	DeadKeyLife = 30 * 24 * time.Hour
)
