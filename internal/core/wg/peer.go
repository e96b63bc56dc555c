package wg

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
)

// Peer is what a machine has to know of a peer.
type Peer struct {
	Public key.WGPublic
	// Preshared is the optional symmetric key of the pair, which keeps recorded traffic secret should X25519 be broken. We answer
	// with it. Zero: none.
	Preshared key.Preshared
	// Other is a key that the peer may answer our initiations with besides, while the two sides go from one to the next. Zero: there
	// is none; it never stands for an answer without a key.
	Other key.Preshared
	// Guarded forbids handshakes without a preshared key: while Preshared is zero none is begun and none is answered. EventMismatch
	// says when one is missing, and that the peer's is another.
	Guarded bool
	// Keepalive is how long the tunnel may be silent in both directions before an empty packet is sent, to keep NATs open.
	// Zero: for ever. Not more than 65,535 s, as in WireGuard's tools.
	Keepalive time.Duration
	// NotBefore is the latest Timestamp that was accepted from this peer in an earlier life (see Status.Latest).
	// Initiations that are not later are refused; so a peer that once spoke with a clock far ahead is refused until that time has
	// come, or until it is removed and put without NotBefore.
	NotBefore Timestamp
}

// unheard is after how long without an answer an attempt may begin anew because the preshared key is another: answers of peers nearby
// have come by then, and the peer takes the second initiation as a later one (its timestamp differs, and it is not too soon).
const unheard = 50 * time.Millisecond

// peer is a machine's state of one peer. One that never spoke is this struct, two words in a map, and nothing else; what only a
// conversation needs is behind pointers.
type peer struct {
	agenda.Slot
	public    key.WGPublic
	psk       key.Preshared
	other     key.Preshared
	guarded   bool
	keepalive time.Duration
	shared    *[keySize]byte // what the two static keys agree on, made on first use

	latest  Timestamp // the greatest accepted
	visits  pace      // authentic initiations from it
	attempt *attempt  // our initiation that waits for a response
	answer  *answer   // our response, until the session is confirmed or gone
	jar     jar
	keys    keyring
	traffic *activity // nil until the first handshake message in either direction

	since     mono.Time     // when it was put or changed
	handshake mono.Time     // the last handshake message we sent to it
	complete  mono.Time     // the last handshake that was confirmed
	began     mono.Time     // when the attempt sent its first initiation
	retryAt   mono.Time     // the attempt is repeated; Never without one
	giveUpAt  mono.Time     // the attempt ends, unless somebody wishes to send
	wantAt    mono.Time     // an attempt begins, because somebody wished for one too early; Never: nobody did
	looked    mono.Time     // when the owner last read traffic's marks
	wished    bool          // somebody wished for an attempt, and there was no preshared key for it
	jitter    time.Duration // drawn with each initiation
}

func newPeer(cfg Peer, now mono.Time) *peer {
	p := &peer{public: cfg.Public, latest: cfg.NotBefore}
	p.configure(cfg, now)
	return p
}

// configure takes what may change in the life of a peer. Sessions stay; the preshared key counts from the next handshake message on.
// An attempt under way that meets silence begins anew with another key: the peer may have been without one. An answer that is on its way goes
// before: it is as good with the key before.
func (p *peer) configure(cfg Peer, now mono.Time) {
	if p.attempt != nil && cfg.Guarded && p.psk != cfg.Preshared {
		p.retryAt = min(p.retryAt, max(now, p.handshake.Add(unheard)))
	}
	p.psk, p.other, p.guarded = cfg.Preshared, cfg.Other, cfg.Guarded
	if p.wished && !p.lacks() {
		p.wished, p.wantAt, p.giveUpAt = false, now, now.Add(RekeyAttemptTime)
	}
	p.keepalive, p.since = cfg.Keepalive, now
	if cfg.NotBefore.After(p.latest) {
		p.latest = cfg.NotBefore
	}
}

// lacks reports whether there is no key for a handshake that must have one.
func (p *peer) lacks() bool { return p.guarded && p.psk.IsZero() }

// secrets are the keys that a response may be made with.
func (p *peer) secrets() []key.Preshared {
	switch {
	case p.lacks():
		return nil
	case p.other.IsZero():
		return []key.Preshared{p.psk}
	}
	return []key.Preshared{p.psk, p.other}
}

// warm makes what a conversation needs.
func (p *peer) warm() *activity {
	if p.traffic == nil {
		p.traffic = new(activity)
	}
	return p.traffic
}

// secret is the agreement of the two static keys; false if the peer's is no useful point.
func (p *peer) secret(id *identity) (*[keySize]byte, bool) {
	if p.shared == nil {
		shared, ok := agree(id.private, p.public[:])
		if !ok {
			return nil, false
		}
		p.shared = &shared
	}
	return p.shared, true
}

// Status is what can be told of a peer, for people.
type Status struct {
	// Handshake is when the last handshake was confirmed. Never: none was.
	Handshake mono.Time
	// Sent and Received are when the last authentic packet went each way, as of the machine's last look.
	Sent, Received mono.Time
	// Current is what packets are sealed with; nil: nothing.
	Current *Session
	// Attempting is whether an initiation waits for its response.
	Attempting bool
	// Latest is the greatest Timestamp accepted from the peer, to be kept for Peer.NotBefore.
	Latest Timestamp
}

func (p *peer) status() Status {
	s := Status{Handshake: p.complete, Current: p.keys.current, Attempting: p.attempt != nil, Latest: p.latest}
	if p.traffic != nil {
		s.Sent, s.Received = p.traffic.sent.Get(), p.traffic.received.Get()
	}
	return s
}
