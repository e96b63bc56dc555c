package local

import (
	"net/netip"
	"time"
)

// The kinds of paths to a peer.
const (
	PathDirect = "direct"
	PathRelay  = "relay"
	PathIdle   = "idle" // no traffic, and therefore none chosen
)

// WayWorks is the state of a candidate that answers.
const WayWorks = "works"

// PathRequest names a peer.
type PathRequest struct {
	Peer    string `json:"peer"` // name, name.network, address or id
	Network string `json:"network,omitempty"`
}

// PeerPath answers it: every way to a peer that is known, and why the one in use was chosen.
type PeerPath struct {
	Schema    int        `json:"schema"`
	Peer      string     `json:"peer"`
	Network   string     `json:"network"`
	Address   netip.Addr `json:"address"`
	Path      string     `json:"path"`            // direct, relay, idle
	Why       string     `json:"why,omitempty"`   // in words
	Since     *time.Time `json:"since,omitempty"` // since when this way is in use
	Preshared string     `json:"preshared_key"`   // none, post-quantum, agreeing
	// Keepalive is how often something is sent on this way while nothing else is, so that no router in between forgets it; absent: nothing is.
	Keepalive    time.Duration `json:"keepalive_ns,omitempty"`
	KeepaliveWhy string        `json:"keepalive_why,omitempty"` // in words
	Candidates   []Candidate   `json:"candidates"`              // the one in use first
}

// Candidate is one way to a peer.
type Candidate struct {
	Path    string          `json:"path"` // direct, relay
	Address *netip.AddrPort `json:"address,omitempty"`
	Relay   string          `json:"relay,omitempty"` // its name
	Kind    string          `json:"kind"`            // how the address is known: host, mapped, port-mapped, seen, …
	State   string          `json:"state"`           // untried, trying, works, doubted, dead, absent
	Chosen  bool            `json:"chosen"`
	RTT     time.Duration   `json:"rtt_ns,omitempty"` // of the last answer; absent: none
	MTU     int             `json:"mtu,omitempty"`    // of the way, in bytes of the IP packet; absent: not measured
	Heard   *time.Time      `json:"heard,omitempty"`  // last answer
}
