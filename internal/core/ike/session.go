package ike

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// session is everything we have with a peer that has proved who it is: only establish makes one, and only of a valid proof. Every
// handler of what a proved peer may ask is a method of session, so none can be reached without.
type session struct {
	m        *Machine
	id       ID
	peer     Peer
	proof    crypt.Proof
	began    bool // we began the first IKE SA
	path     Path
	nat      NAT
	mobile   bool         // both sides know MOBIKE
	reach    []netip.Addr // further addresses of the peer
	lowest   []byte
	upAt     mono.Time
	heard    mono.Time
	sa       *sa   // that carries our requests
	sas      []*sa // it, those that it replaces, and those that competed with it
	children []*child
	half     *halfway // an SA that the peer has asked for and that is not made yet
	queue    []task
	later    []task // temporarily refused
	laterAt  mono.Time
	rekeyAt  mono.Time

	proofEnds mono.Time // the peer's; Never: it does not
	reauthAt  mono.Time // when we prove ourselves anew; Never: not by ourselves
	renewal   ID        // of the attempt to, if there is one
	replaces  ID        // the session whose place it takes
	hintedAt  mono.Time // when we last followed a hint that the peer has forgotten us
	lostAt    mono.Time // when it ends if the peer, who began it, has not ended it: another is the one to keep; Never: it need not
	inside    Inside    // lent by the peer, or to it
	lent      bool      // to it
}

// establish makes the session of an SA whose peer has proved itself.
func (m *Machine) establish(s *sa, proof crypt.Proof, id ID) *session {
	if !proof.Valid() {
		panic("ike: a session without proof")
	}
	o := s.opening
	x := &session{
		m: m, id: id, peer: o.peer, proof: proof, began: s.initiator, path: o.path, nat: o.nat, upAt: m.now, heard: m.now, sa: s, sas: []*sa{s},
		lowest: lowest(o.nonce),
	}
	x.proofEnds = m.holds(proof)
	if x.began && !x.proofEnds.IsNever() {
		x.reauthBy(x.proofEnds)
	}
	delete(m.calls, o.id)
	m.notHalf(s)
	s.session, s.opening, s.stage, s.ends = x, nil, stageOpen, mono.Never
	x.rekeyAt = m.now.Add(m.lifetime())
	m.sessions[id] = x
	m.names[x.peer.Name] = append(m.names[x.peer.Name], x)
	return x
}

// lowest is the lower of two nonces, by which exchanges that cross each other are told apart (§2.8.1).
func lowest(n crypt.Nonces) []byte {
	if bytes.Compare(n.Initiator, n.Responder) < 0 {
		return n.Initiator
	}
	return n.Responder
}

// lifetime is a tenth of it at most less than was configured.
func (m *Machine) lifetime() time.Duration {
	return m.cfg.Lifetime - (m.jitter(m.cfg.Lifetime)-m.cfg.Lifetime)/2
}

func (x *session) profile() crypt.Profile { return x.m.profileOf(&x.peer) }

// learn takes from IKE_AUTH what the peer can do.
func (x *session) learn(ps []msg.Payload) {
	_, knows := msg.Notified(ps, msg.MOBIKESupported)
	x.mobile = knows && !x.peer.Follows
	x.learnReach(ps)
	x.obey(ps)
}

func (x *session) event(e Event, out *Out) {
	e.ID, e.Peer, e.Identity = x.id, x.peer.Name, x.proof.Identity()
	if e.Path == (Path{}) {
		e.Path = x.path
	}
	out.Events = append(out.Events, e)
}

func (x *session) up(out *Out) {
	x.event(Event{Kind: EventUp, NAT: x.nat, Cipher: x.sa.cipher(), Inside: x.inside}, out)
}

// cipher names the algorithms, for people.
func (s *sa) cipher() string {
	name := ""
	for _, tr := range s.choice.Transforms {
		if tr.ID == 0 && tr.Type != msg.SequenceNumbers {
			continue
		}
		if name != "" {
			name += "/"
		}
		name += tr.String()
	}
	return name
}

// down forgets everything.
func (x *session) down(e Event, out *Out) {
	for _, c := range slices.Clone(x.children) {
		x.lose(c, EventChildDown, out)
	}
	for _, s := range slices.Clone(x.sas) {
		s.drop()
	}
	x.forget()
	e.Kind = EventDown
	x.event(e, out)
}

func (x *session) forget() {
	m := x.m
	for _, t := range slices.Concat(x.queue, x.later) {
		m.abandon(t)
	}
	x.queue, x.later = nil, nil
	x.giveUp()
	if x.lent {
		x.lent = false
		m.cfg.Lender.Return(x.id)
	}
	delete(m.sessions, x.id)
	rest := slices.DeleteFunc(m.names[x.peer.Name], func(one *session) bool { return one == x })
	if len(rest) == 0 {
		delete(m.names, x.peer.Name)
	} else {
		m.names[x.peer.Name] = rest
	}
}

func (x *session) deadline() mono.Time {
	at := mono.Earlier(mono.Earlier(x.laterAt, x.rekeyAt), mono.Earlier(x.proofEnds, x.reauthAt))
	at = mono.Earlier(at, x.lostAt)
	if l := x.m.cfg.Liveness; l > 0 && x.sa.pending == nil {
		at = mono.Earlier(at, x.heard.Add(l))
	}
	return at
}

// tick does what time alone brings.
func (x *session) tick(out *Out) {
	now := x.m.now
	if !x.proofEnds.IsNever() && x.proofEnds <= now {
		x.terminate(ProofOver, out)
		return
	}
	if !x.lostAt.IsNever() && x.lostAt <= now {
		x.lost(out)
	}
	if !x.reauthAt.IsNever() && x.reauthAt <= now {
		x.reauthenticate(out)
	}
	if !x.laterAt.IsNever() && x.laterAt <= now {
		x.laterAt = mono.Never
		x.queue, x.later = append(x.queue, x.later...), nil
	}
	if x.rekeyAt <= now {
		x.rekeyAt = now.Add(x.m.lifetime())
		x.wish(&rekeyIKE{})
	}
	if l := x.m.cfg.Liveness; l > 0 && x.heard.Add(l) <= now && x.sa.pending == nil && len(x.queue) == 0 {
		x.wish(&probe{})
	}
	x.proceed(out)
}

// hear notes that the peer lives, and by which path it speaks.
func (x *session) hear(in inbound, out *Out) {
	x.heard = x.m.now
	switch {
	case x.sa == nil || in.path == x.path:
	case x.nat.Remote && !x.mobile && !in.head.Has(msg.Response): // §2.23: its NAT has another mapping
		x.path = in.path
		x.event(Event{Kind: EventMoved, NAT: x.nat}, out)
	case x.mobile && x.began && !in.head.Has(msg.Response): // a responder that speaks from elsewhere may not say so, and waits to be told (RFC 4555 §3.5)
		x.wish(&move{to: &in.path})
		fallthrough
	default:
		x.event(Event{Kind: EventHeard, Path: in.path}, out)
	}
}

// response takes the answer to a request of ours.
func (x *session) response(s *sa, in inbound, out *Out) {
	r := s.pending
	s.pending = nil
	x.hear(in, out)
	if s == x.sa {
		x.answeredElsewhere(r, in)
	}
	if r.task != nil {
		r.task.finish(x, s, in, out)
	}
	x.proceed(out)
}

// request takes a request of the peer's.
func (x *session) request(s *sa, in inbound, out *Out) {
	x.hear(in, out)
	switch in.head.Exchange {
	case msg.CreateChildSA:
		x.createRequest(s, in, out)
	case msg.IKEFollowupKE:
		x.followRequest(s, in, out)
	case msg.Informational:
		x.informRequest(s, in, out)
	default:
		s.reply(in, []msg.Payload{msg.Notify{Kind: msg.InvalidSyntax}}, out)
	}
	x.proceed(out)
}
