package relayed

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
)

// When a home is chosen, and left.
const (
	unmeasured  = 250 * time.Millisecond // to wait for the first measurement at the start
	otherAnswer = 40 * time.Millisecond  // to wait for others after the first
	standbyWait = time.Second            // after the home is up
	betterBy    = 10 * time.Millisecond  // and a fifth
	betterTimes = 3                      // in a row
)

// elections is what decides who is home.
type elections struct {
	begun       mono.Time // relays are known since
	firstAnswer mono.Time
	homeUp      mono.Time // the home is up since; Never: it is not
	contender   *known    // who was nearer than the home in the last survey
	wins        int
}

// elect chooses a home if there is none or it does not serve, and tells of one that has come up.
func (l *Links) elect(now mono.Time, out *Out) {
	if t := l.target; t == nil || !l.eligible(now, t) {
		if k := l.choose(now); k != nil && k != t {
			l.target, l.homeUp = k, mono.Never
		}
	}
	if l.target == nil {
		return
	}
	n := l.need(now, l.target, out)
	if n == nil {
		return
	}
	l.settleHome(now, n, out)
	l.electStandby(now, out)
}

// settleHome tells of the home when it is up.
func (l *Links) settleHome(now mono.Time, n *link, out *Out) {
	if !n.up() {
		l.homeUp = mono.Never
		return
	}
	if l.homeUp.IsNever() {
		l.homeUp = now
		l.wake(now.Add(standbyWait))
		l.wake(now.Add(leaseLeast)) // links to relays that drain end then
	}
	if l.home != l.target {
		l.home = l.target
		l.contender, l.wins = nil, 0
		out.tell(Event{Kind: Home, Slot: n.slot, Relay: l.home.id})
	}
}

// electStandby keeps a second relay, once the home is up.
func (l *Links) electStandby(now mono.Time, out *Out) {
	if l.homeUp.IsNever() || now.Sub(l.homeUp) < standbyWait {
		return
	}
	if s := l.standby; s == nil || s == l.target || !l.eligible(now, s) {
		l.standby = l.nearest(now, l.target)
	}
	if l.standby != nil {
		l.need(now, l.standby, out)
	}
}

// eligible reports whether a relay may be a home now.
func (l *Links) eligible(now mono.Time, k *known) bool {
	return !k.gone && !k.leaving && (k.shunned.IsNever() || !now.Before(k.shunned))
}

// choose finds a home; nil: none can be chosen yet, or there is nothing better than what there is.
func (l *Links) choose(now mono.Time) *known {
	if s := l.standby; s != nil && s.link != nil && s.link.up() && l.eligible(now, s) {
		return s // it is ready
	}
	if l.target == nil && l.patient(now) {
		return nil
	}
	if l.target == nil {
		if k := l.relay(l.cfg.Home); k != nil && l.eligible(now, k) && l.firstAnswer.IsNever() {
			return k
		}
	}
	k := l.nearest(now, nil)
	if k == nil && l.target == nil && len(l.relays) > 0 {
		k = l.relays[0] // all are shunned or leave: one is better than none
	}
	return k
}

// patient reports whether it is too early to choose the first home.
func (l *Links) patient(now mono.Time) bool {
	if len(l.relays) < 2 || l.survey.ended || l.relay(l.cfg.Home) != nil && l.firstAnswer.IsNever() {
		return false
	}
	end := l.begun.Add(unmeasured)
	if !l.firstAnswer.IsNever() {
		end = min(end, l.firstAnswer.Add(otherAnswer))
	}
	if now.Before(end) {
		l.wake(end)
		return true
	}
	return false
}

// nearest finds the eligible relay with the shortest round trip; those that are not measured come last, each node begins with another of them.
func (l *Links) nearest(now mono.Time, but *known) (best *known) {
	for i := range l.relays {
		k := l.relays[(i+int(uint64(l.cfg.Self)%uint64(len(l.relays))))%len(l.relays)]
		if k == but || !l.eligible(now, k) {
			continue
		}
		if best == nil || k.rtt != 0 && (best.rtt == 0 || k.rtt < best.rtt) {
			best = k
		}
	}
	return best
}

// contest compares the home with the nearest relay after a survey, moves if that was nearer often enough, and reports whether it is to be asked again soon.
func (l *Links) contest(now mono.Time) bool {
	t := l.target
	k := l.nearest(now, nil)
	if t == nil || k == nil || k == t || k.rtt == 0 || t.rtt == 0 || t.rtt-k.rtt < betterBy || t.rtt-k.rtt < t.rtt/5 {
		l.contender, l.wins = nil, 0
		return false
	}
	if k != l.contender {
		l.contender, l.wins = k, 0
	}
	if l.wins++; l.wins < betterTimes {
		return true
	}
	l.contender, l.wins = nil, 0
	l.target, l.homeUp = k, mono.Never
	if l.standby == k {
		l.standby = t
	}
	return false
}

// forgetRoles takes relays that are known no more out of their roles.
func (l *Links) forgetRoles() {
	there := func(k *known) *known {
		for _, x := range l.relays {
			if x == k {
				return k
			}
		}
		return nil
	}
	l.home, l.target, l.standby, l.contender = there(l.home), there(l.target), there(l.standby), there(l.contender)
}
