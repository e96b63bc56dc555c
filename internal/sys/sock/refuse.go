package sock

import (
	"errors"
	"sync/atomic"
	"syscall"
)

// reason is why a datagram was not sent.
type reason uint8

const (
	refused reason = iota // none of the others
	noBuffer
	tooBig
	unreachable
	reasons // how many there are
)

// counters count datagrams that came to nothing.
type counters struct {
	unsent    [reasons]atomic.Uint64
	truncated atomic.Uint64
}

// refuse counts n datagrams that were not sent.
func (c *counters) refuse(why reason, n int) { c.unsent[why].Add(uint64(n)) }

// fill writes the counters into s.
func (c *counters) fill(s *Stats) {
	s.NoBuffer, s.TooBig = c.unsent[noBuffer].Load(), c.unsent[tooBig].Load()
	s.Unreachable, s.Refused = c.unsent[unreachable].Load(), c.unsent[refused].Load()
	s.Truncated = c.truncated.Load()
}

// reasonOf finds the reason in the error of a call.
func reasonOf(err error) reason {
	var e syscall.Errno
	if errors.As(err, &e) {
		return reasonOfErrno(e)
	}
	return refused
}
