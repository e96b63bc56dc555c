package ike

import (
	"encoding/binary"
	"slices"

	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// createChild asks for a Child SA: a new one, or one that replaces another (§1.3.1, §1.3.3).
type createChild struct {
	wish Child
	old  uint32 // SPI that we receive on of the one to be replaced; 0: none

	in    uint32 // SPI; 0: none is reserved
	may   bool   // packets with partial checksums may come by it
	guess        // of KENone: that of the profile
	nonce []byte
	rival []byte   // the lower nonce of the one that the peer made meanwhile to replace the same; nil: it did not
	dead  []uint32 // SPIs that the peer has deleted and we do not know: one may be what it made for us
}

// propose is what the request says of the Child SA itself.
func (t *createChild) propose(m *Machine, proposals []msg.Proposal) ([]msg.Payload, error) {
	if t.in == 0 {
		spi, err := m.cfg.SPIs.Reserve()
		if err != nil {
			return nil, err
		}
		t.in = spi
	}
	t.offer = crypt.Propose(proposals, spi4(t.in))
	ps := []msg.Payload{t.offer, msg.TSi(t.wish.Ours), msg.TSr(t.wish.Theirs)}
	if t.may = m.takesPartial(); t.may {
		ps = append(ps, partialChecksums)
	}
	return ps, nil
}

func (t *createChild) begin(x *session, out *Out) (msg.Exchange, []msg.Payload, bool) {
	var ps []msg.Payload
	if t.old != 0 {
		old := x.byIn(t.old)
		if old == nil || old.ends {
			x.m.release(t)
			return 0, nil, false
		}
		t.wish = Child{Ours: old.ours, Theirs: old.theirs}
		ps = append(ps, msg.Notify{Protocol: msg.ProtocolESP, SPI: spi4(old.in), Kind: msg.RekeySA})
	}
	if len(x.children) >= maxChildren {
		t.fail(x, Event{Reason: TooMany}, out)
		return 0, nil, false
	}
	more, err := t.propose(x.m, x.profile().ESP)
	if err == nil {
		err = t.beginKey(x.m, x.profile().ESP)
	}
	if err != nil {
		t.fail(x, Event{Reason: OwnFault, Detail: err.Error()}, out)
		return 0, nil, false
	}
	t.nonce = x.m.nonce()
	ps = append(ps, more[0], msg.Nonce(t.nonce))
	if t.private != nil {
		ps = append(ps, t.payload())
	}
	return msg.CreateChildSA, append(ps, more[1:]...), true
}

// beginKey begins the key exchange, if the profile has one.
func (t *createChild) beginKey(m *Machine, proposals []msg.Proposal) error {
	if t.method == msg.KENone {
		if all := proposals[0].Of(msg.KeyExchange); len(all) > 0 {
			t.method = all[0].ID
		}
	}
	if t.private = nil; t.method == msg.KENone {
		return nil
	}
	return t.start(m)
}

// finish takes the answer to an exchange of its own.
func (t *createChild) finish(x *session, s *sa, in inbound, out *Out) {
	nonce, _ := msg.First[msg.Nonce](in.payloads)
	t.take(x, s, in, crypt.Nonces{Initiator: t.nonce, Responder: clone(nonce)}, out)
}

// take takes the answer; that of the first Child SA is in IKE_AUTH.
func (t *createChild) take(x *session, s *sa, in inbound, n crypt.Nonces, out *Out) {
	if no, refused := msg.Refusal(in.payloads); refused {
		t.refused(x, no, out)
		return
	}
	c, choice, shared, ok := t.accept(in, n)
	if !ok || x.byOut(c.out) != nil {
		t.useless(x, "", out)
		return
	}
	made := func(agreed [][]byte, out *Out) { t.made(x, s, c, choice, n, agreed, out) }
	switch {
	case len(choice.Additional) == 0:
		made([][]byte{shared}, out)
	case !x.follow(t, in, choice, shared, made):
		t.fail(x, Event{Reason: Unusable}, out)
	}
}

// made makes the Child SA, after the last key exchange.
func (t *createChild) made(x *session, s *sa, c *child, choice crypt.Choice, n crypt.Nonces, agreed [][]byte, out *Out) {
	old := x.byIn(t.old)
	if slices.Contains(t.dead, c.out) {
		x.m.release(t)
		if old != nil {
			x.wish(&deleteChild{spi: old.in})
		}
		return
	}
	c.in = t.in
	if err := x.makeChild(s, c, choice, n, true, agreed, t.old, out); err != nil {
		t.useless(x, err.Error(), out)
		return
	}
	t.in = 0
	if t.old == 0 {
		x.single(c)
	}
	x.settle(old, c, lowest(n), t.rival)
}

// accept checks the answer.
func (t *createChild) accept(in inbound, n crypt.Nonces) (c *child, choice crypt.Choice, shared []byte, ok bool) {
	answer, ok1 := msg.First[msg.SA](in.payloads)
	tsi, ok2 := msg.First[msg.TSi](in.payloads)
	tsr, ok3 := msg.First[msg.TSr](in.payloads)
	choice, ok4 := crypt.Answered(t.offer, answer)
	c = &child{ours: slices.Clone(tsi), theirs: slices.Clone(tsr), takes: partialTaken(in.payloads), may: t.may}
	if !ok1 || !ok2 || !ok3 || !ok4 || len(choice.SPI) != 4 || len(n.Responder) == 0 || !allWithin(tsi, t.wish.Ours) || !allWithin(tsr, t.wish.Theirs) {
		return c, choice, nil, false
	}
	if c.out = binary.BigEndian.Uint32(choice.SPI); c.out < leastSPI {
		return c, choice, nil, false
	}
	if choice.KeyExchange == msg.KENone {
		return c, choice, nil, true
	}
	ke, has := msg.First[msg.KE](in.payloads)
	if !has || t.private == nil || ke.Method != t.method || choice.KeyExchange != t.method {
		return c, choice, nil, false
	}
	shared, err := t.private.Finish(ke.Data)
	return c, choice, shared, err == nil
}

// refused follows a refusal (§2.8.1, §2.25).
func (t *createChild) refused(x *session, no msg.Notify, out *Out) {
	old := x.byIn(t.old)
	next, again := t.next(no)
	switch {
	case t.old != 0 && (old == nil || t.rival != nil): // the peer has replaced or deleted it meanwhile
		if old != nil {
			old.ends, old.replaced = true, true
		}
		x.m.release(t)
	case no.Kind == msg.TemporaryFailure:
		x.m.release(t)
		x.postpone(&createChild{wish: t.wish, old: t.old})
	case no.Kind == msg.InvalidKE && again:
		x.m.release(t)
		x.queue = slices.Insert(x.queue, 0, task(&createChild{wish: t.wish, old: t.old, guess: next}))
	case no.Kind == msg.ChildSANotFound && t.old != 0:
		wish := Child{Ours: old.ours, Theirs: old.theirs}
		x.lose(old, EventChildDown, out)
		x.m.release(t)
		x.wish(&createChild{wish: wish})
	default:
		t.fail(x, Event{Reason: RefusedByPeer, Notify: no.Kind}, out)
	}
}

// useless is for an answer that made a Child SA at the peer's and none here.
func (t *createChild) useless(x *session, detail string, out *Out) {
	x.wish(&deleteChild{spi: t.in, orphan: true})
	t.fail(x, Event{Reason: Unusable, Detail: detail}, out)
}

// fail says that there will be no Child SA.
func (t *createChild) fail(x *session, e Event, out *Out) {
	x.m.release(t)
	if old := x.byIn(t.old); old != nil && t.rival != nil {
		old.ends, old.replaced = true, true
	}
	e.Kind, e.Child = EventChildFailed, ChildSA{Ours: t.wish.Ours, Theirs: t.wish.Theirs, Replaces: t.old}
	x.event(e, out)
}

// settle says which of two Child SAs that were to replace the same one stays: that with the lowest nonce of the four goes, and who
// made it deletes it; who made the other deletes the old one (§2.8.1). Without a rival there is only the old one to delete.
func (x *session) settle(old, fresh *child, low, rival []byte) {
	if old != nil {
		old.ends, old.replaced = true, true
	}
	switch {
	case rival != nil && lower(low, rival): // also if the rival has been replaced or deleted since
		fresh.ends, fresh.replaced = true, true
		x.wish(&deleteChild{spi: fresh.in})
	case old != nil:
		x.wish(&deleteChild{spi: old.in})
	}
}

// release gives back the SPI.
func (m *Machine) release(t *createChild) {
	if t.in != 0 {
		m.cfg.SPIs.Release(t.in)
		t.in = 0
	}
}
