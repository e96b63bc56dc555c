package ike

import (
	"errors"
	"fmt"

	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// task is something that we want of the peer: one request and what follows from its answer.
type task interface {
	// begin makes the request; false: there is no need for it any more.
	begin(x *session, out *Out) (msg.Exchange, []msg.Payload, bool)
	// finish takes the answer.
	finish(x *session, s *sa, in inbound, out *Out)
}

// enqueue adds a wish, unless it is there already.
func (x *session) enqueue(t task) error {
	if len(x.queue) == maxQueue {
		return errors.New("ike: the peer is asked for too much at once")
	}
	if s, ok := t.(fmt.Stringer); ok {
		for _, other := range x.queue {
			if o, ok := other.(fmt.Stringer); ok && o.String() == s.String() {
				return nil
			}
		}
	}
	x.queue = append(x.queue, t)
	return nil
}

// proceed sends the next request if none is under way (§2.3: the window is one).
func (x *session) proceed(out *Out) {
	for x.sa != nil && x.sa.pending == nil && x.sa.stage == stageOpen && len(x.queue) > 0 {
		t := x.queue[0]
		x.queue = x.queue[1:]
		exchange, ps, needed := t.begin(x, out)
		if !needed {
			continue
		}
		if err := x.sa.ask(exchange, ps, t, out); err != nil {
			x.m.abandon(t)
			x.down(Event{Reason: OwnFault, Detail: err.Error()}, out)
			return
		}
	}
}

// postpone tries again what the peer has temporarily refused.
func (x *session) postpone(t task) {
	if len(x.later) < maxQueue {
		x.later = append(x.later, t)
	}
	if x.laterAt.IsNever() {
		x.laterAt = x.m.now.Add(backOff + 5*(x.m.jitter(backOff)-backOff))
	}
}

// wish enqueues what the machine itself wants.
func (x *session) wish(t task) { _ = x.enqueue(t) } // a queue that is full has something that will tell whether the peer lives

// busy reports whether a request of ours that wants a Child SA changed is unanswered (§2.25.2).
func (x *session) busy() bool {
	switch x.asked().(type) {
	case *createChild, *deleteChild:
		return true
	}
	return false
}

// replacing is the replacement of the IKE SA that we have asked for and that is unanswered; nil: none.
func (x *session) replacing() *rekeyIKE {
	r, _ := x.asked().(*rekeyIKE)
	return r
}

// asked is what our unanswered request is for; nil: there is none. Additional key exchanges are for what they belong to.
func (x *session) asked() task {
	if x.sa == nil || x.sa.pending == nil {
		return nil
	}
	if f, ok := x.sa.pending.task.(*followup); ok {
		return f.of
	}
	return x.sa.pending.task
}

// abandon gives back what a task has reserved.
func (m *Machine) abandon(t task) {
	switch t := t.(type) {
	case *createChild:
		m.release(t)
	case *rekeyIKE:
		if t.fresh != nil && t.fresh.session == nil {
			t.fresh.drop()
		}
	case *followup:
		m.abandon(t.of)
	case *goodbye:
		if t.rekey != nil {
			m.abandon(t.rekey)
		}
	}
}
