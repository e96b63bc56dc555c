package forward

// Drop says why a frame was not forwarded. Sent, the zero Drop, is none of the reasons.
type Drop uint8

// What became of a frame.
const (
	Sent            Drop = iota
	DropMalformed        // no Data frame
	DropUnknown          // no such channel
	DropUnbound          // the sender is bound to no address, or left
	DropElsewhere        // not from the address that the sender is bound to
	DropForged           // the MAC is wrong
	DropGone             // the receiver left or registered anew
	DropUnreachable      // the receiver is bound to no address
	DropNodePaced        // the sender is over its rate
	DropTenantPaced      // its tenant is over its rate
	DropQueueFull        // the receiver is slow and its queue full

	drops
)

// String returns a short name that is fit for a counter's label.
func (d Drop) String() string {
	names := [drops]string{"sent", "malformed", "unknown_channel", "unbound", "elsewhere", "forged", "gone", "unreachable", "node_paced", "tenant_paced", "queue_full"}
	if d >= drops {
		return "invalid"
	}
	return names[d]
}
