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
	phaseMask state = 7
	opener    state = 1 << (iota + 2) // our end has opened it
	finOut                            // and has sent FIN
	finIn                             // the other has
	cut                               // a Set denies it
)

func (s state) phase() phase { return phase(s & phaseMask) }

func (s state) with(p phase) state { return s&^phaseMask | state(p) }

// opened is the state of a flow that one end has begun: ours, if the packet goes out.
func opened(out bool) state {
	if out {
		return opener
	}
	return 0
}

// by reports whether a packet of the flow, out or in, is the opener's.
func (s state) by(out bool) bool { return out == (s&opener != 0) }

// heard is the state after a packet that is no TCP.
func (s state) heard(out bool) state {
	if s.phase() == single && !s.by(out) {
		return s.with(settled)
	}
	return s
}

// segment is the state after a segment of TCP. A SYN without ACK that begins something else has been sorted out.
func (s state) segment(flags uint8, out bool) state {
	switch {
	case flags&filter.RST != 0:
		return s.with(closed)
	case flags&(filter.SYN|filter.ACK) == filter.SYN && s.by(out):
		return opened(out)
	case flags&filter.FIN != 0:
		return s.fin(out)
	case s.phase() == single && !s.by(out):
		return s.with(answered)
	case s.phase() == answered && s.by(out) && flags&filter.SYN == 0:
		return s.with(settled)
	}
	return s
}

func (s state) fin(out bool) state {
	if out {
		s |= finOut
	} else {
		s |= finIn
	}
	if s&(finOut|finIn) == finOut|finIn {
		return s.with(closed)
	}
	return s.with(closing)
}

// ranks is how many kinds of flows there are, by who goes first when there is no room: 0.
const ranks = 3

// rank is a flow's.
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
