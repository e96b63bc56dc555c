package quantum

import "time"

// Timing.
const (
	// RekeyAfter is the age of a key from which the next wish for a handshake begins an exchange; the handshake does not wait for it.
	RekeyAfter = 24 * time.Hour
	// Patience is how long an exchange is repeated after the last wish for a key.
	Patience = 90 * time.Second
	// Pace is the time for which a peer may make us encapsulate once, and paceBurst how many of them at once.
	Pace      = 250 * time.Millisecond
	paceBurst = 8

	firstRetry = 500 * time.Millisecond
	maxRetry   = 4 * time.Second
	// confirmTries is how often a confirmation is repeated. The exchange then rests, with two keys in common, until it is needed again.
	confirmTries = 6
	// beginEvery is the least time between two exchanges that we begin with one peer.
	beginEvery = time.Second
	// mismatchEvery is the least time between two that a failed handshake may make us begin: whoever sees our initiation can forge a
	// response that fails.
	mismatchEvery = 5 * time.Second
	// yield is how long the side that does not insist waits for the confirmation of the other's exchange before it begins its own.
	yield = 2 * time.Second
	// answerLife is how long an answer is kept for repetition.
	answerLife = 30 * time.Second
)

// Bounds.
const (
	// MaxPeers bounds the peers of a machine; one that never exchanged anything costs a table's entry.
	MaxPeers = 1 << 16
	// maxRunning bounds the exchanges that we run at once, about 10 KB each; others begin when one of them is over.
	maxRunning = 512
	// peersPerTick bounds the work of one Tick; the rest stays due, and Deadline says so.
	peersPerTick = 64
)

// The steps of an exchange.
const (
	stepOffer = iota + 1
	stepAnswer
	stepConfirm
	stepDone
	stepLost
)
