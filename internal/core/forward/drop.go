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
	DropShare            // the relay is overloaded and its tenant over its share
	DropReplayed         // a control frame that is no newer than the last
	DropBusy             // more control frames than the relay takes

	Drops // how many there are
)

// String returns a short name that is fit for a counter's label.
func (d Drop) String() string {
	names := [Drops]string{"sent", "malformed", "unknown_channel", "unbound", "elsewhere", "forged", "gone", "unreachable", "node_paced", "tenant_paced", "queue_full", "share", "replayed", "busy"}
	if d >= Drops {
		return "invalid"
	}
	return names[d]
}
