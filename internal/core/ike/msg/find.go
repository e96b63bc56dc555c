package msg

import "iter"

// First is the first payload of type P, for those of which a second means nothing.
func First[P Payload](ps []Payload) (p P, ok bool) {
	for found := range All[P](ps) {
		return found, true
	}
	return p, false
}

// All are the payloads of type P, in order.
func All[P Payload](ps []Payload) iter.Seq[P] {
	return func(yield func(P) bool) {
		for _, any := range ps {
			if p, ok := any.(P); ok && !yield(p) {
				return
			}
		}
	}
}

// Notified is the first notification of type t.
func Notified(ps []Payload, t NotifyType) (Notify, bool) {
	for n := range All[Notify](ps) {
		if n.Kind == t {
			return n, true
		}
	}
	return Notify{}, false
}

// Refusal is the first notification that refuses something.
func Refusal(ps []Payload) (Notify, bool) {
	for n := range All[Notify](ps) {
		if n.IsError() {
			return n, true
		}
	}
	return Notify{}, false
}
