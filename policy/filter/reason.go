package filter

// Reason says what became of a packet, and why.
type Reason uint8

// The reasons. Allowed is the only one that lets a packet pass.
const (
	Allowed            Reason = iota
	NoRule                    // nothing allows it
	Denied                    // a rule denies it
	UnknownSource             // the source belongs to nobody that this node sees
	UnknownDestination        // likewise the destination
	NeedsIPsec                // allowed, but only through IPsec
	LaterFragment             // the fragment's ports stand in another
	Malformed                 // lengths or header fields that contradict each other
	Truncated                 // ends within a header
	NotIP                     // neither IPv4 nor IPv6
	TinyFragment              // a first fragment without its whole transport header
	OverlapFragment           // would be written over a header that was judged already
	SourceRouted              // wants to choose its way
	TooManyHeaders            // more extension headers than anybody needs
	Closed                    // there are no rules yet
	Reasons                   // their number
)

var reasonNames = [Reasons]string{"allowed", "no_rule", "denied", "unknown_source", "unknown_destination", "needs_ipsec",
	"later_fragment", "malformed", "truncated", "not_ip", "tiny_fragment", "overlap_fragment", "source_routed", "too_many_headers", "closed"}

// String is the reason's name in counters.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return "unknown"
}
