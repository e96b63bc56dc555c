package wg

// Drop says why a message was refused. Nothing that a stranger sends is an error of the program, so it is a number to count.
type Drop uint8

// Why a message was refused. Taken, the zero Drop, is none of them.
const (
	Taken            Drop = iota
	DropMalformed         // no message of a kind that belongs here, or too short
	DropUnaddressed       // MAC1 is wrong: the sender does not know our public key
	DropChallenged        // under load, and no cookie: one was sent
	DropPaced             // under load, or from one peer, too many in too short a time
	DropForged            // the cryptography says no
	DropUnknownPeer       // authentic as far as can be told, but nobody we know
	DropTooManyPeers      // the bound on peers is reached
	DropReplayed          // seen before, or too old to tell
	DropUnknownIndex      // for no session or handshake of ours
	DropExpired           // for a session that is too old
	DropUnshared          // a good initiation of a Guarded peer, unanswered because there is no preshared key for it
	DropCrossed           // a good initiation, unanswered because ours is on its way to the same peer

	drops // how many there are
)

// String returns a short name that is fit for a counter's label.
func (d Drop) String() string {
	names := [drops]string{"taken", "malformed", "unaddressed", "challenged", "paced", "forged", "unknown_peer", "too_many_peers",
		"replayed", "unknown_index", "expired", "unshared", "crossed"}
	if d >= drops {
		return "invalid"
	}
	return names[d]
}
