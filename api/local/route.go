package local

import "net/netip"

// PeerRoute is a network behind peers that policy lets this machine use.
type PeerRoute struct {
	Prefix  netip.Prefix `json:"prefix"`
	Router  string       `json:"router"`            // that is used, or would be
	Standby []string     `json:"standby,omitempty"` // further ones, the next first
	State   string       `json:"state"`             // see below
	Why     string       `json:"why,omitempty"`     // for people
}

// What has come of a route.
const (
	RouteInUse  = "in-use"
	RouteAway   = "router-away" // in use, and no router answers
	RouteClash  = "clash"       // it would hide something of this machine's, and is not set
	RouteOff    = "off"         // accept-routes is off
	RouteOwn    = "own"         // this machine offers it too
	RouteFailed = "failed"      // the system does not take it
)

// Offer is a network behind this machine.
type Offer struct {
	Prefix   netip.Prefix `json:"prefix"`
	Approved bool         `json:"approved"`        // others may reach it through this machine
	Fault    string       `json:"fault,omitempty"` // why packets are not passed on, which is tried again; if it is not approved: why nobody is told of it
}
