package local

// Exit is the way to the internet through another machine that this one was told to take.
type Exit struct {
	Node  string `json:"node"`           // as it was named
	State string `json:"state"`          // see below
	Why   string `json:"why,omitempty"`  // for people
	IPv6  bool   `json:"ipv6,omitempty"` // it takes IPv6 as well; else nothing of that leaves
	LAN   bool   `json:"lan,omitempty"`  // the local networks stay in reach
	Open  bool   `json:"open,omitempty"` // traffic leaves as it would without, because the system cannot keep it back
}

// What has come of an exit. Nothing leaves beside it, unless Open says so.
const (
	ExitInUse   = "in-use"
	ExitAway    = "away"    // it does not answer
	ExitNone    = "none"    // no machine of that name is one
	ExitWaiting = "waiting" // the network is not up
	ExitFailed  = "failed"  // the system does not do it
)

// ExitPeer is a machine that is an exit.
type ExitPeer struct {
	Name    string `json:"name"`
	Online  bool   `json:"online"`
	IPv4    bool   `json:"ipv4"`
	IPv6    bool   `json:"ipv6"`
	Allowed bool   `json:"allowed"` // policy lets this machine reach something on the internet
}
