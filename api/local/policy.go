package local

import (
	"fmt"
	"net/netip"
	"time"
)

// PolicyLogRequest asks for what the filters have dropped lately: of one network, or of all that are up.
type PolicyLogRequest struct {
	Network string `json:"network,omitempty"` // name or id
	// Since is Next of the last answer, by network: what was told then is left out. Absent: everything that is remembered.
	Since map[string]uint64 `json:"since,omitempty"`
}

// PolicyLog answers PostPolicyLog.
type PolicyLog struct {
	Schema   int               `json:"schema"`
	Networks []PolicyNetwork   `json:"networks"`
	Next     map[string]uint64 `json:"next"` // by identifier of the network
}

// PolicyNetwork is what the filter of one membership has decided, since the daemon brought it up.
type PolicyNetwork struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Policy     uint64            `json:"policy"`      // version of the network's policy in which rules are counted; 0: the filter has no rules
	Flows      int               `json:"flows"`       // connections and the like that are known now
	Opened     uint64            `json:"opened"`      // flows that rules have allowed
	Evicted    uint64            `json:"evicted"`     // flows that were forgotten because there was no room
	DroppedIn  map[string]uint64 `json:"dropped_in"`  // packets from the network, or trains of them, by reason
	DroppedOut map[string]uint64 `json:"dropped_out"` // likewise to the network
	Rules      []RuleCount       `json:"rules"`       // since this policy came into force; rules that did nothing are left out
	Denials    []Denial          `json:"denials"`     // oldest first, at most 1,024 are remembered
}

// RuleCount is what one rule of the policy has decided on this machine.
type RuleCount struct {
	Rule    uint32 `json:"rule"`    // from 0, those of acls first, then those of grants
	Allowed uint64 `json:"allowed"` // flows
	Denied  uint64 `json:"denied"`  // packets, or trains of them
}

// Denial is a packet, or a train of them, that the filter has dropped.
type Denial struct {
	At        time.Time    `json:"at"`
	Direction string       `json:"direction"` // in: from the network; out: to it
	Src       *DenialPlace `json:"src,omitempty"`
	Dst       *DenialPlace `json:"dst,omitempty"` // both absent: it was no IP packet
	Protocol  string       `json:"protocol,omitempty"`
	Type      *uint8       `json:"icmp_type,omitempty"`
	Reason    string       `json:"reason"`           // no_rule, denied, unknown_source, …
	Rule      *uint32      `json:"rule,omitempty"`   // that denies it
	Policy    uint64       `json:"policy,omitempty"` // the version of the document in which Rule counts
	Missed    uint32       `json:"missed,omitempty"` // denials of the same source before it that were too many to tell
}

// DenialPlace is one end of a packet.
type DenialPlace struct {
	Address netip.Addr `json:"address"`
	Port    uint16     `json:"port,omitempty"`
	Name    string     `json:"name,omitempty"` // of the node or device, if the map knows it
}

// Why says in words why it was dropped. A reason that is not known is told as it is.
func (d *Denial) Why() string {
	switch d.Reason {
	case "no_rule":
		return "no rule allows it"
	case "denied":
		if d.Rule != nil {
			if d.Policy == 0 {
				return fmt.Sprintf("rule %d denies it", *d.Rule)
			}
			return fmt.Sprintf("rule %d of version %d denies it", *d.Rule, d.Policy)
		}
	case "unknown_source":
		return "from nobody that this machine may see"
	case "unknown_destination":
		return "to nobody that this machine may see"
	case "needs_ipsec":
		return "allowed through IPsec only"
	case "later_fragment":
		return "a fragment whose first was not let pass"
	case "overlap_fragment":
		return "a fragment that overlaps another"
	case "not_ip":
		return "no IP packet"
	case "closed":
		return "there are no rules yet"
	}
	return d.Reason
}
