package wg

import "time"

// The constants of the protocol, §6.1. They are part of the wire contract: both sides count with them.
const (
	RekeyAfterMessages  = 1 << 60           // a session that has sealed this many packets is due for replacement
	RejectAfterMessages = 1<<64 - 1<<13 - 1 // and one that has sealed this many seals no more
	RekeyAfterTime      = 120 * time.Second // an initiator replaces a session of this age when it sends
	RejectAfterTime     = 180 * time.Second // no side uses a session of this age
	RekeyAttemptTime    = 90 * time.Second  // a handshake is given up after this long without a wish to send
	RekeyTimeout        = 5 * time.Second   // between two handshake messages to the same peer
	KeepaliveTimeout    = 10 * time.Second  // data received is acknowledged by some packet within this time
)

// Timing that the paper leaves to the implementation; the values are those that other implementations use.
const (
	// maxJitter keeps two peers that retransmit in step from colliding for ever.
	maxJitter = 333 * time.Millisecond
	// lastMinute is the age at which an initiator replaces a session because it received on it: as late as possible, so that a
	// side that only receives still has a new session before the old one is rejected (§6.2).
	lastMinute = RejectAfterTime - KeepaliveTimeout - RekeyTimeout
	// silence is how long data may go unanswered before the session is suspected dead (§6.5).
	silence = KeepaliveTimeout + RekeyTimeout
	// repeatAfter is how long an initiation waits until the very same bytes are sent once more, as a network might: longer than most answers take.
	repeatAfter = 500 * time.Millisecond
	// crossing is how long after our first initiation one from the peer counts as sent before ours arrived: a long round trip.
	crossing = time.Second
	// initiationEvery bounds the initiations that one authenticated peer may make us work for: 50 a second.
	initiationEvery = time.Second / 50
	// cookieLife is how long a cookie secret lives on the side that made it (§5.4.7).
	cookieLife = 120 * time.Second
	// cookieUse is how long a received cookie is presented: a little less, for the way there.
	cookieUse = cookieLife - 5*time.Second
	// loadMemory is how long a machine stays in cookie mode after it was last overloaded.
	loadMemory = time.Second
)

// Bounds on what strangers can make a machine keep or do.
const (
	defaultMaxPeers            = 1 << 16
	defaultHandshakesPerSecond = 2000
	// peersPerTick bounds one Tick, in which each may begin a handshake (0.1 ms); the rest stay due, and Deadline says so.
	peersPerTick = 64
	// Under load an address that has proved itself by a cookie may still start only this much.
	sourceEvery = time.Second / 20
	sourceBurst = 5
	// sourceBuckets is the size of the table that remembers them, 8 bytes each.
	sourceBuckets = 4096
)
