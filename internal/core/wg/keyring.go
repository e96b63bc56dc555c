package wg

import "github.com/cvlan/cvlan/internal/base/mono"

// keyring holds the sessions of one peer: at most three are alive at once.
type keyring struct {
	// previous opens what was under way when current took over.
	previous *Session
	// current seals.
	current *Session
	// next is ready to open. It was made by us as responder, and seals only when the peer has shown, by using it, that our
	// response arrived.
	next *Session
}

// adopt makes s, which we began and the peer has answered, current. dropped are the sessions that this ends; nil means none.
func (k *keyring) adopt(s *Session) (dropped [2]*Session) {
	before := k.current
	if k.next != nil {
		// Both sides began at once, and both were answered. The peer may send with the one that it began.
		dropped[0], before, k.next = k.current, k.next, nil
	}
	dropped[1], k.previous, k.current = k.previous, before, s
	return dropped
}

// offer makes s, which the peer began, next.
func (k *keyring) offer(s *Session) (dropped [2]*Session) {
	dropped[0], dropped[1] = k.next, k.previous
	k.next, k.previous = s, nil
	return dropped
}

// promote makes next current, because the peer has used it.
func (k *keyring) promote() (dropped *Session) {
	dropped, k.previous, k.current, k.next = k.previous, k.current, k.next, nil
	return dropped
}

// expire removes the sessions that are too old for anything.
func (k *keyring) expire(now mono.Time) (dropped [3]*Session) {
	for i, s := range [...]**Session{&k.previous, &k.current, &k.next} {
		if *s != nil && (*s).expired(now) {
			dropped[i], *s = *s, nil
		}
	}
	return dropped
}

func (k *keyring) holds(s *Session) bool {
	return s != nil && (s == k.previous || s == k.current || s == k.next)
}

func (k *keyring) all() [3]*Session { return [...]*Session{k.previous, k.current, k.next} }
