package sock

import "sync"

// spare keeps the sets of arrays that no Send uses now, the last used on top, for its memory is warm. There are as many as there ever
// were calls at once.
type spare struct {
	mu  sync.Mutex
	top *outgoing
}

func (s *spare) take(u *udp) *outgoing {
	s.mu.Lock()
	o := s.top
	if o != nil {
		s.top = o.next
	}
	s.mu.Unlock()
	if o == nil {
		o = newOutgoing(u)
	}
	return o
}

func (s *spare) give(o *outgoing) {
	s.mu.Lock()
	o.next, s.top = s.top, o
	s.mu.Unlock()
}
