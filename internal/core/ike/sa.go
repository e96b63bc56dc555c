package ike

import (
	"errors"
	"slices"
	"time"

	"github.com/cvlan/cvlan/internal/base/mono"
	"github.com/cvlan/cvlan/internal/core/agenda"
	"github.com/cvlan/cvlan/internal/core/ike/crypt"
	"github.com/cvlan/cvlan/internal/core/ike/msg"
)

// sa is one IKE SA: keys, and a window of one request in each direction (§2.3). What it may carry follows from whether it is opening
// or has a session.
type sa struct {
	agenda.Slot
	m             *Machine
	local, remote msg.SPI
	initiator     bool // we began it
	stage         stage
	half          half // its name while it is half-open and a stranger began it

	opening *opening // until the peer has proved itself; nil after
	session *session // from then on; nil before

	choice crypt.Choice
	prf    crypt.PRF
	suite  crypt.Suite
	keys   crypt.Keys
	sealer *crypt.Sealer
	opener *crypt.Opener
	splits bool // both sides know fragments

	next    uint32   // message ID of our next request
	pending *request // of ours, unanswered
	answers pieces   // to it

	expect   uint32 // message ID of the peer's next request
	requests pieces
	answered answer // to expect-1

	ends mono.Time // it is forgotten then; Never: by other rules
}

// stage is how far an IKE SA has come.
type stage uint8

const (
	stageOpening  stage = iota
	stageOpen           // the session's own, or one that competes to be
	stageReplaced       // another serves, and one side is to delete this one
	stageClosing        // we are deleting it
	stageGone           // it only repeats its last answer
)

// inbound is a message that has proved authentic.
type inbound struct {
	head     msg.Header
	path     Path
	first    msg.PayloadType
	plain    []byte
	payloads []msg.Payload
}

// secure makes the keys of a new or rekeyed SA out of SKEYSEED.
func (s *sa) secure(seed []byte, n crypt.Nonces) error {
	spiI, spiR := s.spis()
	keys, err := s.prf.IKEKeys(seed, n, spiI, spiR, s.suite)
	if err != nil {
		return err
	}
	outE, outA, inE, inA := keys.EncrI, keys.AuthI, keys.EncrR, keys.AuthR
	if !s.initiator {
		outE, outA, inE, inA = inE, inA, outE, outA
	}
	sealer, err := s.suite.NewSealer(outE, outA, s.m.rnd)
	if err != nil {
		return err
	}
	opener, err := s.suite.NewOpener(inE, inA)
	if err != nil {
		return err
	}
	s.keys, s.sealer, s.opener = keys, sealer, opener
	if log := s.m.cfg.KeyLog; log != nil {
		if line := keys.LogLine(spiI, spiR, s.choice.Encryption, s.choice.Integrity); line != "" {
			log(line)
		}
	}
	return nil
}

// adopt takes the algorithms that were agreed on.
func (s *sa) adopt(c crypt.Choice) (err error) {
	s.choice = c
	if s.prf, err = crypt.NewPRF(c.PRF); err != nil {
		return err
	}
	s.suite, err = crypt.NewSuite(c.Encryption, c.Integrity)
	return err
}

// spis are those of initiator and responder.
func (s *sa) spis() (i, r msg.SPI) {
	if s.initiator {
		return s.local, s.remote
	}
	return s.remote, s.local
}

func (s *sa) header(x msg.Exchange, id uint32, f msg.Flags) msg.Header {
	i, r := s.spis()
	if s.initiator {
		f |= msg.FromInitiator
	}
	return msg.Header{SPIi: i, SPIr: r, Exchange: x, Flags: f, ID: id}
}

// seal protects a message.
func (s *sa) seal(h msg.Header, ps []msg.Payload) ([][]byte, error) {
	first, plain, err := s.m.write(ps)
	if err != nil {
		return nil, err
	}
	return s.sealPlain(h, first, plain)
}

// sealPlain protects a message whose payloads have been written, in fragments if the peer knows them and it is long.
func (s *sa) sealPlain(h msg.Header, first msg.PayloadType, plain []byte) ([][]byte, error) {
	if s.splits {
		return s.sealer.SealFragments(h, first, plain, s.m.cfg.Fragment)
	}
	b, err := s.sealer.Seal(h, first, plain)
	return [][]byte{b}, err
}

// write writes payloads into a buffer that all messages share: they are valid until the next are written.
func (m *Machine) write(ps []msg.Payload) (first msg.PayloadType, plain []byte, err error) {
	first, m.written, err = msg.AppendChain(m.written[:0], ps)
	return first, m.written, err
}

var errIncomplete = errors.New("more fragments are to come")

// unseal checks and decrypts a message. Errors other than *msg.Error mean that nothing is to be done about it.
func (s *sa) unseal(m msg.Message, raw []byte, parts *pieces, path Path) (in inbound, err error) {
	in = inbound{head: m.Header, path: path}
	if s.opener == nil || len(m.Payloads) == 0 {
		return in, crypt.ErrForged
	}
	switch p := m.Payloads[len(m.Payloads)-1].(type) {
	case msg.SK:
		in.first = p.First
		in.plain, err = s.opener.OpenPlain(raw, p)
	case msg.SKF:
		if !s.splits {
			return in, crypt.ErrForged
		}
		plain, err := s.opener.OpenFragment(raw, p)
		if err != nil {
			return in, err
		}
		done := false
		if in.first, in.plain, done = parts.add(m.ID, p, plain); !done {
			return in, errIncomplete
		}
	default:
		return in, crypt.ErrForged
	}
	if err != nil {
		return in, err
	}
	in.payloads, err = msg.Chain(in.first, in.plain)
	return in, err
}

// deadline is when the SA wants to be looked at.
func (s *sa) deadline() mono.Time {
	at := s.ends
	if s.pending != nil {
		at = mono.Earlier(at, s.pending.due)
	}
	if s.session != nil && s.session.sa == s {
		at = mono.Earlier(at, s.session.deadline())
	}
	return at
}

// drop forgets the SA.
func (s *sa) drop() {
	m := s.m
	m.schedule.Set(s, mono.Never)
	delete(m.sas, s.local)
	m.notHalf(s)
	if s.session != nil {
		s.session.sas = slices.DeleteFunc(s.session.sas, func(one *sa) bool { return one == s })
	}
	s.cancel()
	s.stage = stageGone
}

// rest keeps the SA only to repeat its last answer.
func (s *sa) rest() {
	if s.session != nil {
		s.session.sas = slices.DeleteFunc(s.session.sas, func(one *sa) bool { return one == s })
	}
	s.m.notHalf(s)
	s.cancel()
	s.stage, s.session, s.opening = stageGone, nil, nil
	s.ends = s.m.now.Add(linger)
	s.m.look(s)
}

// jitter makes d up to a fifth longer, so that peers that were disturbed together do not stay together.
func (m *Machine) jitter(d time.Duration) time.Duration {
	var b [1]byte
	m.random(b[:])
	return d + d*time.Duration(b[0])/(5*256)
}
