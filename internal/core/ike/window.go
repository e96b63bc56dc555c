package ike

import (
	"crypto/sha256"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// request is one of ours until it is answered.
type request struct {
	id        uint32
	exchange  msg.Exchange
	datagrams [][]byte
	path      *Path // where it goes; nil: the session's path of the moment. With a session it is tried for a while only
	tries     int
	sent, due mono.Time
	task      task // nil while opening
}

// answer is the last of ours, to be repeated.
type answer struct {
	request   [sha256.Size]byte // the datagram that began the request: all of it, or its first fragment
	datagrams [][]byte
}

// isFirst reports whether of a fragmented request this is the piece whose repetition asks for the answer again (RFC 7383 §2.6.1).
func isFirst(m msg.Message) bool {
	f, split := msg.First[msg.SKF](m.Payloads)
	return !split || f.Number == 1
}

// ask sends a request; its answer goes to t.
func (s *sa) ask(x msg.Exchange, ps []msg.Payload, t task, out *Out) error {
	datagrams, err := s.seal(s.header(x, s.next, 0), ps)
	if err != nil {
		return err
	}
	r := &request{id: s.next, exchange: x, datagrams: datagrams, task: t}
	switch t := t.(type) {
	case *prove:
		r.path = &t.path
	case *move:
		r.path = t.to
	case *deleteIKE:
		r.path = t.path
	}
	s.post(r, out)
	return nil
}

func (s *sa) post(r *request, out *Out) {
	s.pending = r
	s.next++
	s.answers = pieces{}
	r.tries, r.sent, r.due = 1, s.m.now, s.m.now.Add(s.m.jitter(firstRetry))
	out.transmit(s.pathOf(r), r.datagrams...)
}

func (s *sa) pathOf(r *request) Path {
	switch {
	case r.path != nil:
		return *r.path
	case s.session != nil:
		return s.session.path
	}
	return s.opening.path
}

// repeat sends the unanswered request again; false: it has been sent often enough.
func (s *sa) repeat(out *Out) bool {
	r := s.pending
	if r.tries == maxTries || r.tries == pathTries && r.path != nil && s.session != nil {
		return false
	}
	wait := firstRetry
	for range r.tries {
		wait = wait * 9 / 5
	}
	r.tries++
	r.sent = s.m.now
	r.due = s.m.now.Add(s.m.jitter(wait))
	out.transmit(s.pathOf(r), r.datagrams...)
	if x := s.session; x != nil && x.sa == s {
		x.elsewhere(r, out)
	}
	return true
}

// goBack sends a request that was to try a new path by the old one. It proves nothing there, but the window is one: the peer takes nothing else
// before it.
func (s *sa) goBack(out *Out) {
	s.pending.path, s.pending.tries, s.pending.task = nil, 0, &probe{}
	s.repeat(out)
}

// reply answers the request that in was, and keeps the answer.
func (s *sa) reply(in inbound, ps []msg.Payload, out *Out) {
	datagrams, err := s.seal(s.header(in.head.Exchange, in.head.ID, msg.Response), ps)
	if err != nil { // too long for fragments, or the key is used up: an empty answer is better than none
		datagrams, err = s.seal(s.header(in.head.Exchange, in.head.ID, msg.Response), nil)
	}
	if err != nil {
		return
	}
	s.answer(in, datagrams, out)
}

// answer answers the request that in was with what has been sealed, and keeps it.
func (s *sa) answer(in inbound, datagrams [][]byte, out *Out) {
	s.answered.datagrams = datagrams
	out.transmit(in.path, datagrams...)
}

// cancel forgets our unanswered request, and what it has reserved.
func (s *sa) cancel() {
	r := s.pending
	s.pending = nil
	if r != nil && r.task != nil {
		s.m.abandon(r.task)
	}
}
