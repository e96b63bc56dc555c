package relayed

import (
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/stun"
)

// surveyEvery is the time between two surveys, surveySoon that before one which is to confirm the last.
const (
	surveyEvery = 5 * time.Minute
	surveySoon  = time.Minute
)

// survey measures the way to every relay.
type survey struct {
	client *stun.Client // nil: none is under way
	ahead  []netip.AddrPort
	again  mono.Time
	asked  stun.Out
	heard  map[*known]time.Duration // best of this survey
	ended  bool                     // one has ended
}

// startSurvey asks all relays, whatever was under way.
func (l *Links) startSurvey(now mono.Time, out *Out) {
	s := &l.survey
	s.ahead = s.ahead[:0]
	for i := range MaxAddrs { // the first address of each relay first
		for _, k := range l.relays {
			if i < len(k.addrs) && !k.gone {
				s.ahead = append(s.ahead, k.addrs[i])
			}
		}
	}
	s.client, s.again = nil, now.Add(l.between(surveyEvery*9/10, surveyEvery))
	s.heard = make(map[*known]time.Duration)
	l.wake(s.again)
	l.askBatch(now, out)
}

// askBatch asks the next relays, or ends the survey.
func (l *Links) askBatch(now mono.Time, out *Out) {
	s := &l.survey
	for len(s.ahead) > 0 {
		n := min(len(s.ahead), stun.MaxServers)
		c := stun.NewClient(s.ahead[:n], l.rnd)
		s.ahead = slices.Delete(s.ahead, 0, n)
		s.asked.Reset()
		if c.Start(now, &s.asked) != nil {
			continue
		}
		s.client = c
		if l.surveyed(now, out) {
			continue
		}
		return
	}
	s.client, s.ended = nil, true
	for k, rtt := range s.heard { // each on its own: the order does not matter
		k.measured(rtt)
	}
	if l.contest(now) && now.Add(surveySoon).Before(s.again) {
		s.again = now.Add(surveySoon)
	}
	l.wake(s.again)
}

// surveyed takes what the client has decided, and reports whether it has ended.
func (l *Links) surveyed(now mono.Time, out *Out) (ended bool) {
	s := &l.survey
	for _, t := range s.asked.Transmits {
		out.Transmits = append(out.Transmits, Transmit{To: t.To, Data: t.Data})
	}
	for _, e := range s.asked.Events {
		switch e.Kind {
		case stun.Mapped:
			l.answer(now, e.Server, e.RTT)
		case stun.Done:
			ended = true
		}
	}
	s.asked.Reset()
	l.wake(s.client.Deadline())
	return ended
}

// answer takes an answer of a relay.
func (l *Links) answer(now mono.Time, from netip.AddrPort, rtt time.Duration) {
	for _, k := range l.relays {
		if !slices.Contains(k.addrs, from) {
			continue
		}
		best, ok := l.survey.heard[k]
		if !ok || rtt < best {
			l.survey.heard[k], k.answers = rtt, from
		}
		if k.rtt == 0 {
			k.rtt = max(rtt, time.Microsecond)
		}
		if l.firstAnswer.IsNever() {
			l.firstAnswer = now
		}
	}
}

// STUN takes a STUN message that came to the main socket, and reports whether it answers a question of a survey.
func (l *Links) STUN(now mono.Time, from netip.AddrPort, message []byte, out *Out) bool {
	s := &l.survey
	if s.client == nil || !s.client.Datagram(now, from, message, &s.asked) {
		return false
	}
	if l.surveyed(now, out) {
		l.askBatch(now, out)
	}
	l.elect(now, out)
	return true
}

func (l *Links) tickSurvey(now mono.Time, out *Out) {
	s := &l.survey
	if s.client == nil {
		if due(now, s.again) {
			l.startSurvey(now, out)
		}
		l.wake(s.again)
		return
	}
	s.client.Tick(now, &s.asked)
	if l.surveyed(now, out) {
		l.askBatch(now, out)
	}
}
