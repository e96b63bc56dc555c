package quantum

import (
	"crypto/mlkem"
	"time"

	"github.com/cvlan/cvlan/internal/base/key"
	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
	"github.com/cvlan/cvlan/proto/disco"
)

// holding is the keys that a pair has agreed on.
type holding struct {
	current, previous key.Preshared
	shared            bool      // current is a key, and the peer has it
	since             mono.Time // when current was agreed
}

// adopt makes k current.
func (h *holding) adopt(k key.Preshared, now mono.Time) {
	h.previous, h.current, h.shared, h.since = h.current, k, true, now
}

// pair is what a machine knows of one peer that took part in something.
type pair struct {
	agenda.Slot
	holding
	public key.WGPublic
	told   Keys // by the last EventKeys
	fresh  bool // a key was adopted, and EventShared is to come

	mine      *exchange      // that we began; nil: none runs
	theirs    *answer        // to the last that the peer began; nil: none
	questions disco.Assembly // of what the peer begins
	replies   disco.Assembly // of what we began

	wantUntil  mono.Time // somebody wishes for a key until then
	beginAt    mono.Time // an exchange begins; Never: none
	began      mono.Time // the last of ours
	mismatched mono.Time // the last Mismatch that was heeded
	paced      mono.Time // until then the peer has used up its encapsulations
}

// exchange is one that we began.
type exchange struct {
	id     uint64
	secret *mlkem.DecapsulationKey768 // nil when the answer has come
	offer  []byte

	answered bool // the rest counts
	agreed
	before holding // what the pair had

	sent   mono.Time
	retry  time.Duration // after sent
	tries  int           // of the confirmation
	repeat mono.Time
}

// answer is our part in an exchange that the peer began.
type answer struct {
	id        uint64
	message   []byte // nil when it is too old to be repeated
	at        mono.Time
	confirmed bool
	late      bool // our own exchange was over first and counts: this key is not for Current
	agreed
}

// pending is a key that the peer may have, or will have.
func (p *pair) pending() bool { return p.theirs != nil && !p.theirs.confirmed }

// keys is what WireGuard's handshakes shall mix in. See the package comment.
func (p *pair) keys() Keys {
	k := Keys{Current: p.current, Other: p.previous}
	switch {
	case !p.pending() || p.theirs.late:
	case k.Current.IsZero():
		k.Current = p.theirs.key
	default:
		k.Other = p.theirs.key
	}
	return k
}

func (p *pair) tell(out *Out) {
	if k := p.keys(); k != p.told {
		p.told = k
		out.Events = append(out.Events, Event{Kind: EventKeys, Peer: p.public, Keys: k})
	}
}

// adopt makes k current. Whoever wished for a key has one.
func (p *pair) adopt(k key.Preshared, now mono.Time) {
	p.holding.adopt(k, now)
	p.fresh, p.beginAt = true, mono.Never
}

// allow reports whether the peer may make us encapsulate once more, and counts it (the generic cell rate algorithm).
func (p *pair) allow(now mono.Time) bool {
	from := max(p.paced, now)
	if from.Sub(now) > (paceBurst-1)*Pace {
		return false
	}
	p.paced = from.Add(Pace)
	return true
}

// deadline is the earliest instant at which look would do something.
func (p *pair) deadline() mono.Time {
	at := mono.Earlier(p.beginAt, mono.Earlier(p.questions.Deadline(), p.replies.Deadline()))
	if p.mine != nil {
		at = mono.Earlier(at, p.mine.repeat)
	}
	if p.theirs != nil && p.theirs.message != nil {
		at = mono.Earlier(at, p.theirs.at.Add(answerLife))
	}
	return at
}
