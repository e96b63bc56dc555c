package flow

import (
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/policy/filter"
)

// phase is how far a flow has come; the package comment says what each means.
type phase uint32

const (
	single phase = iota
	answered
	settled
	closing
	closed
	phases
)

// state is all of a flow that changes: the phase, and the marks that follow.
type state uint32

const (
	phaseMask  state = 7
	openerHigh state = 1 << (iota + 2) // the higher end has opened it
	finLow                             // the lower end has sent FIN
	finHigh
	cut // a Set denies it
)

func (s state) phase() phase { return phase(s & phaseMask) }

func (s state) with(p phase) state { return s&^phaseMask | state(p) }

// opened is the state of a flow that one end has begun.
func opened(high bool) state {
	if high {
		return openerHigh
	}
	return 0
}

// by reports whether the opener has sent a packet of the flow.
func (s state) by(high bool) bool { return high == (s&openerHigh != 0) }

// heard is the state after a packet that is no TCP.
func (s state) heard(high bool) state {
	if s.phase() == single && !s.by(high) {
		return s.with(settled)
	}
	return s
}

// segment is the state after a segment of TCP. A SYN without ACK that begins something else has been sorted out.
func (s state) segment(flags uint8, high bool) state {
	switch {
	case flags&filter.RST != 0:
		return s.with(closed)
	case flags&(filter.SYN|filter.ACK) == filter.SYN && s.by(high):
		return opened(high)
	case flags&filter.FIN != 0:
		return s.fin(high)
	case s.phase() == single && !s.by(high):
		return s.with(answered)
	case s.phase() == answered && s.by(high) && flags&filter.SYN == 0:
		return s.with(settled)
	}
	return s
}

func (s state) fin(high bool) state {
	if high {
		s |= finHigh
	} else {
		s |= finLow
	}
	if s&(finHigh|finLow) == finHigh|finLow {
		return s.with(closed)
	}
	return s.with(closing)
}

// rank says who goes first when there is no room: 0.
func (s state) rank(proto uint8) int {
	switch {
	case s.phase() != settled || s&cut != 0:
		return 0
	case proto != filter.TCP:
		return 1
	}
	return 2
}

// tick is a coarse instant: about 268 ms, so that one number of 32 bits lasts for 36 years.
type tick uint32

func tickOf(t mono.Time) tick { return tick(t >> 28) }

func ticks(d time.Duration) tick { return tick(d>>28) + 1 }

// fresh is for how long a flow's last packet need not be noted again.
const fresh = 4

// Times of idleness after which a flow is forgotten, by phase.
var (
	timesTCP   = [phases]tick{ticks(2 * time.Minute), ticks(time.Minute), ticks(124 * time.Minute), ticks(4 * time.Minute), ticks(10 * time.Second)}
	timesPorts = [phases]tick{single: ticks(2 * time.Minute), settled: ticks(5 * time.Minute)}
	timesEcho  = [phases]tick{single: ticks(time.Minute), settled: ticks(time.Minute)}
	timesOther = [phases]tick{single: ticks(10 * time.Minute), settled: ticks(10 * time.Minute)}
)

// lasts is how long a flow may be idle.
func (s state) lasts(proto uint8) tick {
	switch proto {
	case filter.TCP:
		return timesTCP[s.phase()]
	case filter.UDP, filter.UDPLite, filter.DCCP, filter.SCTP:
		return timesPorts[s.phase()]
	case filter.ICMP, filter.ICMPv6:
		return timesEcho[s.phase()]
	}
	return timesOther[s.phase()]
}
