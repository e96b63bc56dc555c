package acl

import (
	"net/netip"
	"time"
)

// Document is a validated policy. Nothing in it changes after Parse.
type Document struct {
	Groups    []Group
	TagOwners []TagOwner
	Hosts     []Host
	Postures  []Posture
	Rules     []Rule // first those of "acls", then those of "grants"
	Routes    []RouteApprover
	ExitNode  []Selector // who may offer an exit node without being asked
	Tests     []Test
	Default   []string // postures that every source must satisfy one of, unless its rule names its own
}

// Kind says what a Selector selects by.
type Kind uint8

// The kinds. Nobody is what does not exist here: it was warned about.
const (
	Nobody Kind = iota
	Any
	User
	Domain // Name is the part behind the @
	GroupOf
	Tag
	Address // Prefixes; Name if it is an alias of "hosts"
	Member
	Tagged
	Self
	Internet
	Admin
	Owner
)

// Selector selects nodes and addresses.
type Selector struct {
	Kind     Kind
	Name     string // a user in lower case, "group:x", "tag:x", a domain, an alias
	Prefixes []netip.Prefix
	Text     string // as written, without ports
	Pos      Pos
}

// Group is a named set of users.
type Group struct {
	Name    string // with "group:"
	Users   []string
	Groups  []string
	Members []string // all users of it and of the groups in it, sorted
	Pos     Pos
}

// TagOwner says who may give a tag to a node.
type TagOwner struct {
	Tag    string // with "tag:"
	Owners []Selector
	Pos    Pos
}

// Host is a name for addresses.
type Host struct {
	Name   string
	Prefix netip.Prefix
	Pos    Pos
}

// RouteApprover says whose routes are approved without being asked.
type RouteApprover struct {
	Prefix    netip.Prefix
	Approvers []Selector
	Pos       Pos
}

// Service is a range of ports of one protocol, or everything.
//
// Protocol and port together are one number of 24 bits, protocol<<16 | port, and a Service is a range of such numbers: First and Last
// belong to it. Protocols without ports have all of theirs, and a packet of such a protocol has port 0. Everything is 0 to AllServices.
type Service struct{ First, Last uint32 }

// AllServices is the last of all protocols and ports.
const AllServices = 1<<24 - 1

// Target is one destination of a rule.
type Target struct {
	Selector
	Services []Service // sorted, merged
}

// Rule allows or denies. A packet matches it if one of Src, one of Dst with its services, its window and one of its postures do.
type Rule struct {
	Path        string // "acls[3]": its name for people
	Pos         Pos
	Deny        bool
	Priority    int // the highest that matches decides
	Src         []Selector
	Dst         []Target
	When        *Window  // nil: always
	Postures    []string // of the source; one of them suffices
	IPsec       bool     // what it allows makes IPsec the pair's only way
	Description string
}

// MaxPriority bounds Rule.Priority on both sides of zero.
const MaxPriority = 1_000_000

// Test is an expectation that is checked before a document is accepted.
type Test struct {
	Pos    Pos
	Path   string
	Src    Selector
	Attrs  map[string]string // of the source, for postures
	When   time.Time         // zero: when it is run
	Accept []Probe
	Deny   []Probe
}

// Probe is one destination of a Test.
type Probe struct {
	Target
	Text string // as written
}
