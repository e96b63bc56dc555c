package local

import (
	"context"
	"net/http"
)

// PostReach shows rules, so it asks for more than Read.
var PostReach = Op[PathRequest, Reach]{Route{http.MethodPost, "/v1/policy/reach", Operate, false, "Show what the rules allow between this machine and a peer"}}

// Reach answers it: by the filter that is in force on this machine, now.
type Reach struct {
	Schema  int         `json:"schema"`
	Peer    string      `json:"peer"`
	Network string      `json:"network"`
	Policy  uint64      `json:"policy"` // version of the network's policy; 0: there are no rules yet, and nothing may pass
	Out     []ReachRule `json:"out"`    // what this machine may begin
	In      []ReachRule `json:"in"`     // what the peer may begin
}

// ReachRule is what one rule decides about a pair. What no rule is about is denied.
type ReachRule struct {
	Rule     uint32   `json:"rule"` // from 0, those of acls first, then those of grants
	Deny     bool     `json:"deny,omitempty"`
	Services []string `json:"services"`        // such as tcp:443, udp:5000-5010, icmp; at most 64
	More     int      `json:"more,omitempty"`  // services beyond those
	IPsec    bool     `json:"ipsec,omitempty"` // only through IPsec
}

// Reach returns what the rules allow between this machine and a peer.
func (c *Client) Reach(ctx context.Context, r PathRequest) (Reach, error) {
	return call(ctx, c, PostReach, r)
}
