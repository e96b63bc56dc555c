package enroll

import (
	"errors"

	"github.com/cvlan/cvlan/controller/store"
	"github.com/cvlan/cvlan/proto/control/pb"
)

const newKey = "ask an admin for a new one: cvlan admin key create --network NAME"

// refusals say, for each cause, what the person at the new machine reads.
var refusals = []struct {
	cause         error
	reason        pb.RefusedReason
	message, hint string
}{
	{store.ErrKeyUnknown, pb.RefusedReason_REFUSED_REASON_UNKNOWN, "the controller does not know this join key", newKey},
	{store.ErrKeyExpired, pb.RefusedReason_REFUSED_REASON_EXPIRED, "the join key has expired", newKey},
	{store.ErrKeyUsedUp, pb.RefusedReason_REFUSED_REASON_USED_UP, "the join key has admitted as many machines as it may", newKey + " (--uses N for several machines)"},
	{store.ErrKeyRevoked, pb.RefusedReason_REFUSED_REASON_REVOKED, "the join key was revoked", newKey},
	{store.ErrLimit, pb.RefusedReason_REFUSED_REASON_FULL, "the network is full", "an admin can delete nodes that are gone: cvlan admin node list"},
	{store.ErrExists, pb.RefusedReason_REFUSED_REASON_INVALID, "another node already uses these keys; was this machine's state copied?", "start with fresh keys: sudo cvlan logout --local, then sudo cvlan up with a new join key"},
	{store.ErrReadOnly, pb.RefusedReason_REFUSED_REASON_UNAVAILABLE, "the controller cannot write its database now", "free its disk; the same key works again then"},
	{store.ErrNotFound, pb.RefusedReason_REFUSED_REASON_UNKNOWN, "the controller does not know this node", newKey},
	{errInvalid, pb.RefusedReason_REFUSED_REASON_INVALID, "the request is not valid", "is this machine's cvland newer than the controller? compare cvlan version"},
}

const newRelayKey = "ask an admin for a new one: cvlan admin relay create NAME"

// relayRefusals are what is said otherwise to the person at a relay.
var relayRefusals = map[error]*pb.Refused{
	store.ErrKeyUnknown: {Reason: pb.RefusedReason_REFUSED_REASON_UNKNOWN, Message: "the controller does not know this relay key", Hint: newRelayKey},
	store.ErrKeyExpired: {Reason: pb.RefusedReason_REFUSED_REASON_EXPIRED, Message: "the relay key has expired", Hint: newRelayKey},
	store.ErrKeyUsedUp:  {Reason: pb.RefusedReason_REFUSED_REASON_USED_UP, Message: "another machine has used this relay key", Hint: newRelayKey},
	store.ErrNotFound:   {Reason: pb.RefusedReason_REFUSED_REASON_UNKNOWN, Message: "the controller does not know this relay", Hint: newRelayKey},
}

func refuseRelay(err error) *pb.Refused {
	for cause, r := range relayRefusals {
		if errors.Is(err, cause) {
			return r
		}
	}
	return refuse(err)
}

// refuse turns a cause into what travels. A cause that is not on the list is the controller's own trouble: it stays in its log.
func refuse(err error) *pb.Refused {
	if m, ok := errors.AsType[*store.MemberError](err); ok {
		return &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_MEMBER, Node: uint64(m.Node), Message: "this machine is in the network already",
			Hint: "to join it anew, leave it first: sudo cvlan logout"}
	}
	for _, r := range refusals {
		if errors.Is(err, r.cause) {
			return &pb.Refused{Reason: r.reason, Message: r.message, Hint: r.hint}
		}
	}
	return &pb.Refused{Reason: pb.RefusedReason_REFUSED_REASON_UNAVAILABLE, Message: "the controller has a problem of its own",
		Hint: "its log says which; the same key works again when it is solved"}
}
